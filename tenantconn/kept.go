package tenantconn

import (
	"database/sql/driver"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// mostStatements is how many prepared statements a real connection keeps from one user to the next.
const mostStatements = 128

// kept are the prepared statements that a real connection keeps, for whoever has it. The zero value has none.
type kept struct {
	lru *simplelru.LRU[string, *keptStatement]
}

type keptStatement struct {
	stmt driver.Stmt
	lent bool // to a loan
	gone bool // from kept: the loan closes it
}

// loan is a prepared statement of a real connection that one stmt uses: two never share one, because rows may be open on it.
type loan struct {
	real   *real
	stmt   driver.Stmt
	key    string         // under which the connection keeps it
	kept   *keptStatement // where it was lent from; nil when it was prepared for this loan
	failed bool
}

// lend returns a statement that nobody uses, or nil.
func (k *kept) lend(key string) *keptStatement {
	if k.lru == nil {
		return nil
	}
	s, ok := k.lru.Get(key)
	if !ok || s.lent {
		return nil
	}
	s.lent = true
	return s
}

// back takes a loan back. Of two for one key, the one that comes second is closed, as is one that failed.
func (k *kept) back(l *loan) error {
	switch s := l.kept; {
	case s != nil && !s.gone && !l.failed:
		s.lent = false
		return nil
	case s != nil && !s.gone:
		k.lru.Remove(l.key) // it is lent, so it is not closed
		return l.stmt.Close()
	case s != nil, l.failed, k.lru != nil && k.lru.Contains(l.key):
		return l.stmt.Close()
	}
	if k.lru == nil {
		// The size is not 0, which is the only error.
		k.lru, _ = simplelru.NewLRU(mostStatements, func(_ string, old *keptStatement) {
			if old.gone = true; !old.lent {
				_ = old.stmt.Close()
			}
		})
	}
	k.lru.Add(l.key, &keptStatement{stmt: l.stmt})
	return nil
}

// purge closes all that are not lent.
func (k *kept) purge() {
	if k.lru != nil {
		k.lru.Purge()
	}
}
