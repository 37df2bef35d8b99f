package apiserver

import (
	"net/http"
	"strconv"
	"strings"
)

// encodedWhole reports whether the answer to a list is encoded in one piece: as YAML, or
// indented. Lists in JSON and protobuf are encoded one object at a time. Source: isPrettyPrint
// in k8s.io/apiserver pkg/endpoints/handlers/negotiation v0.37.2.
func encodedWhole(req *http.Request) bool {
	if strings.Contains(req.Header.Get("Accept"), "yaml") {
		return true
	}
	if pretty := req.URL.Query().Get("pretty"); pretty != "" {
		yes, _ := strconv.ParseBool(pretty)
		return yes
	}
	agent := req.UserAgent()
	return strings.HasPrefix(agent, "curl") || strings.HasPrefix(agent, "Wget") || strings.HasPrefix(agent, "Mozilla/5.0")
}
