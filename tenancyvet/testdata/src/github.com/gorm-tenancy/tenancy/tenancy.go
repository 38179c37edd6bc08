// Package tenancy has the names of the plugin's that the checks know.
package tenancy

import "context"

type current struct{}

var Current current

func Bypass(ctx context.Context, reason string) context.Context { return ctx }
