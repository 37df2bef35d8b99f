package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/admission"
	mutatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	validatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/validating"
	apiserverapi "k8s.io/apiserver/pkg/apis/apiserver"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	apiserverv1alpha1 "k8s.io/apiserver/pkg/apis/apiserver/v1alpha1"
	"k8s.io/kubernetes/plugin/pkg/admission/security/podsecurity"
	"sigs.k8s.io/yaml"
)

// AdmissionConfiguration says how admission plugins are configured, by the plugin's name:
// an object of the plugin's own API.
type AdmissionConfiguration map[string]map[string]any

// ReadAdmissionConfiguration reads a file as kube-apiserver's
// --admission-control-config-file, and the files to which it refers. Errors are upstream's
// where it has one. What upstream would pass over in silence is refused: a plugin that is
// not there, or that takes no configuration here.
func ReadAdmissionConfiguration(path string) (AdmissionConfiguration, error) {
	if path == "" {
		return nil, nil
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apiserverapi.AddToScheme, apiserverv1alpha1.AddToScheme, apiserverv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	read, err := admission.ReadAdmissionConfiguration(nil, path, scheme)
	if err != nil {
		return nil, fmt.Errorf("failed to read plugin config: %w", err)
	}
	names, err := configuredPlugins(path, scheme)
	if err != nil {
		return nil, err
	}
	out := AdmissionConfiguration{}
	for _, name := range names {
		if err := configurable(name); err != nil {
			return nil, err
		}
		if out[name], err = pluginConfiguration(read, name); err != nil {
			return nil, fmt.Errorf("the configuration of %s: %w", name, err)
		}
	}
	return out, nil
}

// configuredPlugins returns the names of the plugins in a file that upstream has read.
// Upstream ends the process if a file to which it refers is missing.
func configuredPlugins(path string, scheme *runtime.Scheme) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	obj, err := runtime.Decode(serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder(), data)
	if err != nil {
		// One of the two old formats, for plugins that are not on.
		return nil, fmt.Errorf("failed to read plugin config: %w", err)
	}
	var names []string
	for _, plugin := range obj.(*apiserverapi.AdmissionConfiguration).Plugins {
		names = append(names, plugin.Name)
		if plugin.Configuration != nil || plugin.Path == "" {
			continue
		}
		file := plugin.Path
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
		if _, err := os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("couldn't open admission plugin configuration: %w", err)
		}
	}
	return names, nil
}

// configurable refuses a plugin that would take no notice of its configuration.
func configurable(name string) error {
	known := admissionPlugins(nil, nil)
	if !slices.ContainsFunc(known, func(p admissionPlugin) bool { return p.name == name }) {
		return fmt.Errorf("admission-control plugin %q is unknown: want one of those that kube-apiserver has on by default", name)
	}
	takes := []string{podsecurity.PluginName, mutating.PluginName, validating.PluginName, resourcequota.PluginName}
	if slices.Contains(takes, name) {
		return nil
	}
	if name == mutatingpolicy.PluginName || name == validatingpolicy.PluginName {
		return fmt.Errorf("admission-control plugin %q: policies come from the API alone: take its configuration out", name)
	}
	return fmt.Errorf("admission-control plugin %q has no configuration: want one for some of %v", name, takes)
}

func pluginConfiguration(read admission.ConfigProvider, name string) (map[string]any, error) {
	reader, err := read.ConfigFor(name)
	if err != nil || reader == nil {
		return nil, err
	}
	data, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, yaml.Unmarshal(data, &out)
}

// ConfigFor implements admission.ConfigProvider.
func (c AdmissionConfiguration) ConfigFor(name string) (io.Reader, error) {
	configuration, ok := c[name]
	if !ok || configuration == nil {
		return nil, nil
	}
	data, err := json.Marshal(configuration)
	return bytes.NewReader(data), err
}
