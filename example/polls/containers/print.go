package containers

import (
	"fmt"
	"io"
	"strings"
)

// Print writes the plan for people, a line for each tenant and for each file or service that is everybody's.
func (p Plan) Print(w io.Writer) error {
	var b strings.Builder
	if p.Empty() {
		b.WriteString("nothing to do\n")
	}
	signs := map[Kind]string{Added: "+", Changed: "~", Removed: "-"}
	for _, c := range p.Tenants {
		fmt.Fprintf(&b, "%s tenant %s:", signs[c.Kind], c.Name)
		for _, s := range p.Services {
			if s.Tenant == c.Tenant {
				fmt.Fprintf(&b, " %s%s", signs[s.Kind], s.Name)
			}
		}
		if c.Hosts {
			b.WriteString(" hosts")
		}
		b.WriteString("\n")
	}
	for _, s := range p.Services {
		if s.Tenant == "" {
			fmt.Fprintf(&b, "%s service %s\n", signs[s.Kind], s.Name)
		}
	}
	if p.Restart {
		b.WriteString("  nginx starts anew\n")
	}
	for _, f := range p.Files {
		fmt.Fprintf(&b, "%s file %s\n", signs[f.Kind], f.Name)
	}
	for _, id := range p.Kept {
		fmt.Fprintf(&b, "  secrets and volume of %s are kept; --remove-data removes them\n", id)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
