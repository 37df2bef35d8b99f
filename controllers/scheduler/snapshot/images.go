package snapshot

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	fwk "k8s.io/kube-scheduler/framework"
)

// images are the images of all Nodes by name. The Nodes that have an image share its
// summary.
type images map[string]*image

type image struct {
	summary *fwk.ImageStateSummary
	// sizes are those that the Nodes name.
	sizes map[string]int64
}

// learn adds a Node's images and returns their summaries.
//
// Deviation: an image's size is the largest that a Node gives; upstream takes the one that it
// has heard of first, which depends on the order of the Nodes.
func (m images) learn(node *corev1.Node) map[string]*fwk.ImageStateSummary {
	out := make(map[string]*fwk.ImageStateSummary, len(node.Status.Images))
	for i := range node.Status.Images {
		for _, name := range node.Status.Images[i].Names {
			img, ok := m[name]
			if !ok {
				img = &image{summary: &fwk.ImageStateSummary{Nodes: sets.New[string]()}, sizes: map[string]int64{}}
				m[name] = img
			}
			if _, twice := out[name]; twice {
				continue
			}
			img.sizes[node.Name] = node.Status.Images[i].SizeBytes
			img.sum()
			out[name] = img.summary
		}
	}
	return out
}

// forget removes a Node's images; node may be nil.
func (m images) forget(node *corev1.Node) {
	if node == nil {
		return
	}
	for i := range node.Status.Images {
		for _, name := range node.Status.Images[i].Names {
			img, ok := m[name]
			if !ok {
				continue
			}
			delete(img.sizes, node.Name)
			if img.sum(); len(img.sizes) == 0 {
				delete(m, name)
			}
		}
	}
}

// sum writes the summary in place: all Nodes that have the image hold it.
func (img *image) sum() {
	img.summary.Size = 0
	for _, size := range img.sizes {
		img.summary.Size = max(img.summary.Size, size)
	}
	img.summary.NumNodes = len(img.sizes)
}
