package apiserver

import (
	"reflect"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// TestEveryInformerIsFilled: admission and authorization ask only for informers that
// commits fill. One that nobody fills never runs here, and its lister stays empty forever.
func TestEveryInformerIsFilled(t *testing.T) {
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	caches, factory := newCaches(client)
	authorizer, _, err := newAuthorizer(AuthorizationRBAC, factory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newAdmission(admissionConfig{
		Client: client, Informers: factory, Authorizer: authorizer, Version: newVersion("v1.0.0", Build{}),
		Interceptors: newInterceptors(caches), Stop: t.Context().Done(),
	}); err != nil {
		t.Fatal(err)
	}
	field := reflect.ValueOf(factory).Elem().FieldByName("informers")
	if field.Type() != reflect.TypeFor[map[reflect.Type]cache.SharedIndexInformer]() {
		t.Fatal("client-go's factory keeps its informers elsewhere: look for them there")
	}
	informers := *(*map[reflect.Type]cache.SharedIndexInformer)(field.Addr().UnsafePointer())
	for typ, informer := range informers {
		if _, filled := informer.(*filledInformer); !filled {
			t.Errorf("an informer of %v is asked for that nobody fills: add its type to newCaches", typ)
		}
	}
}
