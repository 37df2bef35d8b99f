// Package openapi serves the description of the API: /openapi/v2 and /openapi/v3.
//
// Invariant: nothing is described before a client asks for it. Of a description only
// its bytes are kept. Upstream builds all of it when a server starts, which takes longer
// than all the rest of the start.
package openapi
