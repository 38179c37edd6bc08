// Command tenancyvet looks for mistakes in GORM applications with the plugin tenancy:
//
//	go vet -vettool=$(which tenancyvet) ./...
//	tenancyvet ./...
//
// tenancyvet help lists the checks, and tenancyvet help rawsql describes one. Each can be switched off: -rawsql=false. It
// exits with 0 when it has found nothing.
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/gorm-tenancy/tenancy/tenancyvet"
)

func main() { multichecker.Main(tenancyvet.Analyzers()...) }
