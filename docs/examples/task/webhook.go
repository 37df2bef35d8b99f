package task

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Bounds of Spec.TimeoutSeconds.
const (
	timeoutDefault = 60 * 60
	timeoutMax     = 24 * 60 * 60
)

// Webhooks default and validate Tasks.
type Webhooks struct{}

// SetupWithManager adds the webhooks to a manager.
func (w Webhooks) SetupWithManager(m manager.Manager) error {
	return builder.WebhookManagedBy(m, &Task{}).WithDefaulter(w).WithValidator(w).Complete()
}

// Default implements admission.Defaulter.
func (Webhooks) Default(_ context.Context, t *Task) error {
	if t.Spec.TimeoutSeconds == 0 {
		t.Spec.TimeoutSeconds = timeoutDefault
	}
	return nil
}

// ValidateCreate implements admission.Validator.
func (Webhooks) ValidateCreate(_ context.Context, t *Task) (admission.Warnings, error) {
	if strings.TrimSpace(t.Spec.Command) == "" {
		return nil, errors.New("spec.command is empty: say what to run")
	}
	if t.Spec.TimeoutSeconds > timeoutMax {
		return nil, fmt.Errorf("spec.timeoutSeconds %d: want at most a day, %d", t.Spec.TimeoutSeconds, timeoutMax)
	}
	return nil, nil
}

// ValidateUpdate implements admission.Validator.
func (w Webhooks) ValidateUpdate(ctx context.Context, old, t *Task) (admission.Warnings, error) {
	if t.Spec.Command != old.Spec.Command {
		return nil, errors.New("spec.command cannot be changed: make another Task")
	}
	return w.ValidateCreate(ctx, t)
}

// ValidateDelete implements admission.Validator.
func (Webhooks) ValidateDelete(context.Context, *Task) (admission.Warnings, error) { return nil, nil }
