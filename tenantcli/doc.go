// Package tenantcli is a set of commands that an application mounts in its own binary: it makes, lists, suspends and removes
// tenants, migrates all of them, and runs any other command of the application for one tenant or for each.
//
//	func newRoot() *cobra.Command {
//		root := &cobra.Command{Use: "polls"}
//		root.AddCommand(newServe(), newRecount())
//		root.AddCommand(tenantcli.Commands(tenantcli.App{Open: open, Root: newRoot})...)
//		return root
//	}
//
//	func main() { os.Exit(tenantcli.Execute(context.Background(), newRoot())) }
//
// The commands speak for the operator, whom nothing here asks for a password: whoever may start the binary with its
// settings may do all of this. What run, each and shell start acts for one tenant, within the walls that hold a request.
//
// Results go to stdout, progress and errors to stderr. The exit code is 0 if all went well, 1 if something failed or was
// left, 2 for wrong use.
//
// It uses cobra, which most command lines in Go are made of, so that an application's own commands and these are of one
// kind; progressbar, which draws on a terminal and needs little else; and golang.org/x/term to know a terminal.
package tenantcli
