package stream

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Store finds the logs of the Pods on the simulated nodes. Its zero value is
// empty and ready.
type Store struct {
	// Buffers are those of the clients; nil has no bound.
	Buffers *Buffers

	mu   sync.RWMutex
	pods map[types.NamespacedName]*podLogs
}

// podLogs holds what is kept of one Pod.
type podLogs struct {
	pod  *corev1.Pod
	logs map[string]*Log // by container ID
	// recall asks for logs that are not in memory, nil once they are: those
	// of a Pod that finished before this run.
	recall func()
	ready  chan struct{} // closed when recall is done
}

// SetPod makes pod the newest state of its name. The logs of an earlier Pod of
// that name are forgotten.
func (s *Store) SetPod(pod *corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	if s.pods == nil {
		s.pods = map[types.NamespacedName]*podLogs{}
	}
	if p, ok := s.pods[key]; ok && p.pod.UID == pod.UID {
		p.pod = pod
		return
	}
	if p, ok := s.pods[key]; ok {
		p.release()
	}
	s.pods[key] = &podLogs{pod: pod, logs: map[string]*Log{}}
}

func (p *podLogs) release() {
	for _, l := range p.logs {
		l.release()
	}
}

// NewLog returns an empty log for a container instance of a Pod that SetPod
// named, in place of the one of the same ID. What it holds is charged to account, nil
// for nobody, until the store forgets it.
func (s *Store) NewLog(namespace, name, containerID string, account Account) *Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &Log{account: account}
	if p, ok := s.pods[types.NamespacedName{Namespace: namespace, Name: name}]; ok {
		if old := p.logs[containerID]; old != nil {
			old.release()
		}
		p.logs[containerID] = l
	}
	return l
}

// DropLog forgets the log of a container instance.
func (s *Store) DropLog(namespace, name, containerID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.pods[types.NamespacedName{Namespace: namespace, Name: name}]; ok {
		if l := p.logs[containerID]; l != nil {
			l.release()
		}
		delete(p.logs, containerID)
	}
}

// DropLogs forgets the logs of a Pod, which need not be called back any more.
func (s *Store) DropLogs(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pods[types.NamespacedName{Namespace: namespace, Name: name}]
	if !ok {
		return
	}
	p.release()
	p.logs = map[string]*Log{}
	if p.ready != nil {
		close(p.ready)
		p.ready, p.recall = nil, nil
	}
}

// Recallable says that a Pod's logs are not in memory: recall is called once,
// from any goroutine, when somebody wants them. Recalled must follow.
func (s *Store) Recallable(pod *corev1.Pod, recall func()) {
	s.SetPod(pod)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pods[types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}]
	p.recall, p.ready = recall, make(chan struct{})
}

// Recalled says that the logs of a recallable Pod are in memory now.
func (s *Store) Recalled(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.pods[types.NamespacedName{Namespace: namespace, Name: name}]; ok && p.ready != nil {
		close(p.ready)
		p.ready, p.recall = nil, nil
	}
}

// Forget drops a Pod and its logs; readers that follow one keep it.
func (s *Store) Forget(namespace, name string, uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := types.NamespacedName{Namespace: namespace, Name: name}
	p, ok := s.pods[key]
	if !ok || p.pod.UID != uid {
		return
	}
	if p.ready != nil {
		close(p.ready)
	}
	p.release()
	delete(s.pods, key)
}

// find returns a Pod as of now, with its log of a container instance.
func (s *Store) find(namespace, name string) (pod *corev1.Pod, log func(containerID string) *Log, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.pods[types.NamespacedName{Namespace: namespace, Name: name}]
	if !ok {
		return nil, nil, false
	}
	return p.pod, func(id string) *Log {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return p.logs[id]
	}, true
}

// awaitRecall asks for the Pod's logs if they are not in memory, and returns
// what is closed when they are; nil if they are already.
func (s *Store) awaitRecall(namespace, name string) <-chan struct{} {
	s.mu.Lock()
	p, ok := s.pods[types.NamespacedName{Namespace: namespace, Name: name}]
	if !ok || p.ready == nil {
		s.mu.Unlock()
		return nil
	}
	recall, ready := p.recall, p.ready
	p.recall = nil
	s.mu.Unlock()
	if recall != nil {
		recall()
	}
	return ready
}
