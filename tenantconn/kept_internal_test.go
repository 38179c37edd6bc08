package tenantconn

import (
	"database/sql/driver"
	"fmt"
	"testing"
)

// counted is a statement that counts how often it was closed.
type counted struct {
	driver.Stmt
	closed int
}

func (c *counted) Close() error {
	c.closed++
	return nil
}

// TestKept: a statement is lent to one loan at a time, as rows may be open on it, and each is closed once.
func TestKept(t *testing.T) {
	t.Parallel()
	var k kept
	first, second := &counted{}, &counted{}
	if k.lend("q") != nil {
		t.Fatal("lent what is not there")
	}
	back := func(l loan) {
		t.Helper()
		if err := k.back(&l); err != nil {
			t.Fatal(err)
		}
	}
	back(loan{stmt: first, key: "q"})
	lent := k.lend("q")
	if lent == nil || lent.stmt != first {
		t.Fatal("a kept statement is not lent")
	}
	if k.lend("q") != nil {
		t.Fatal("lent to two")
	}
	back(loan{stmt: second, key: "q"}) // prepared for the other one meanwhile
	if second.closed != 1 || first.closed != 0 {
		t.Errorf("closed %d and %d times", first.closed, second.closed)
	}
	back(loan{stmt: first, key: "q", kept: lent})
	if lent = k.lend("q"); lent == nil || lent.stmt != first {
		t.Fatal("a statement that came back is not lent again")
	}
	for i := range 2 * mostStatements { // it is driven out while it is lent
		back(loan{stmt: &counted{}, key: fmt.Sprint(i)})
	}
	if first.closed != 0 {
		t.Error("closed while it was lent")
	}
	back(loan{stmt: first, key: "q", kept: lent})
	if first.closed != 1 || k.lend("q") != nil {
		t.Errorf("closed %d times behind its loan", first.closed)
	}
	third := &counted{}
	back(loan{stmt: third, key: "r"})
	back(loan{stmt: third, key: "r", kept: k.lend("r"), failed: true})
	if third.closed != 1 || k.lend("r") != nil {
		t.Errorf("one that failed was closed %d times, or is kept", third.closed)
	}
	fourth := &counted{}
	back(loan{stmt: fourth, key: "s"})
	k.purge()
	if fourth.closed != 1 || k.lend("s") != nil {
		t.Errorf("one that is outdated was closed %d times, or is kept", fourth.closed)
	}
}
