package retrofit_test

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy/retrofit"
)

// TestKilled kills processes by kill -9, the first before its first statement, the second before its second …, and lets the next
// go on at the stage that was interrupted: at the end all is as if nothing had happened.
func TestKilled(t *testing.T) {
	if kind := os.Getenv("RETROFIT_CHILD"); kind != "" {
		child(t, kind)
		return
	}
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		e.seed(20)
		calm := newEnv(t, e.kind)
		calm.seed(20)
		calm.all(calm.retrofit(byCompany))
		stages, died := retrofit.Stages(), 0
		for at := 1; len(stages) > 0; at++ {
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKilled$")
			c.Env = append(os.Environ(), "RETROFIT_CHILD="+e.kind, "RETROFIT_DSN="+e.dsn, "RETROFIT_STAGE="+string(stages[0]), "RETROFIT_AT="+strconv.Itoa(at))
			out, err := c.CombinedOutput()
			status := new(exec.ExitError)
			switch {
			case err == nil: // the stage had fewer statements left
				stages, at = stages[1:], 0
			case errors.As(err, &status) && status.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
				died++
			default:
				t.Fatalf("%s: %v\n%s", stages[0], err, out)
			}
			if len(stages) < 3 && e.orphans() > 0 {
				t.Fatalf("%d rows without tenant after %d deaths", e.orphans(), died)
			}
			// An old program can write at every moment but after Finish.
			if len(stages) > 1 {
				must(t, e.db.Create(&OldPoll{CompanyID: 1, Slug: "killed " + strconv.Itoa(died) + string(stages[0]) + strconv.Itoa(at)}).Error)
			}
		}
		if died < 10 {
			t.Errorf("only %d were killed", died)
		}
		if got, want := e.structure(), calm.structure(); got != want {
			t.Errorf("killed:\n%s\nnot killed:\n%s", got, want)
		}
		separate(t, e)
	})
}

func (e *env) orphans() int {
	e.Helper()
	return e.count("SELECT count(*) FROM polls WHERE tenant_id IS NULL") + e.count("SELECT count(*) FROM choices WHERE tenant_id IS NULL")
}

// child runs one stage and dies before its n-th statement.
func child(t *testing.T, kind string) {
	db, err := gorm.Open(dialector(kind, os.Getenv("RETROFIT_DSN")), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	r, err := retrofit.New(db, newPlugin(), byCompany, retrofit.BatchSize(7))
	must(t, err)
	left, err := strconv.Atoi(os.Getenv("RETROFIT_AT"))
	must(t, err)
	r.BeforeStatement(func(string) {
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	_, err = r.Do(t.Context(), retrofit.Stage(os.Getenv("RETROFIT_STAGE")))
	must(t, err)
}

// TestBrokenIndex drops what a CREATE INDEX CONCURRENTLY left that did not finish.
func TestBrokenIndex(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "postgres")
	e.seed(5)
	r := e.retrofit(byCompany)
	e.stage(r, retrofit.StageAdd)
	e.stage(r, retrofit.StageBackfill)
	tx := e.open().Begin()
	must(t, tx.Create(&OldPoll{CompanyID: 1, Slug: "open"}).Error)
	pool, err := e.open().DB()
	must(t, err)
	conn, err := pool.Conn(t.Context())
	must(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "SET statement_timeout = '300ms'")
	must(t, err)
	_, err = conn.ExecContext(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY idx_polls_slug_tenant ON polls (tenant_id, slug)")
	if !contains(err, "57014") {
		t.Fatalf("the index was made: %v", err)
	}
	must(t, tx.Commit().Error)
	broken := "SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass('idx_polls_slug_tenant')"
	if e.count(broken) != 1 {
		t.Fatal("there is no broken index")
	}
	e.stage(r, retrofit.StageConstrain)
	if e.count(broken) != 0 || e.count("SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = to_regclass('idx_polls_slug_tenant')") != 1 {
		t.Error("the index is still broken")
	}
}
