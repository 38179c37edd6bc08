package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// chain is the steps in their order. Its hash covers all versions and checksums, so that one comparison tells whether a
// tenant has all of them as they are now.
type chain struct {
	steps []Step
	hash  string
}

func newChain(db *gorm.DB, sources []Source) (chain, error) {
	var c chain
	for _, source := range sources {
		steps, err := source.Steps(db)
		if err != nil {
			return c, err
		}
		for _, s := range steps {
			if s, err = s.complete(); err != nil {
				return c, err
			}
			c.steps = append(c.steps, s)
		}
	}
	if len(c.steps) == 0 {
		return c, errors.New("migrate: there are no steps")
	}
	slices.SortStableFunc(c.steps, func(a, b Step) int { return cmp.Compare(a.Version, b.Version) })
	for i, s := range c.steps {
		if i > 0 && c.steps[i-1].Version == s.Version {
			return c, fmt.Errorf("migrate: %q and %q have one version, %d", c.steps[i-1].Name, s.Name, s.Version)
		}
		c.hash = checksum(fmt.Sprintf("%s\n%d %s", c.hash, s.Version, s.Checksum))
	}
	return c, nil
}

// version is the highest of the chain.
func (c chain) version() int64 { return c.steps[len(c.steps)-1].Version }

// pending returns what a tenant lacks, given its entries of the ledger, or why it cannot go on. With ErrAhead it returns both.
func (c chain) pending(entries []Entry, outOfOrder bool) ([]Step, error) {
	has := map[int64]Entry{}
	for _, e := range entries {
		has[e.Version] = e
	}
	var newest int64
	for _, s := range c.steps {
		if has[s.Version].State == StateDone && !s.repeatable {
			newest = s.Version
		}
	}
	var steps []Step
	for _, s := range c.steps {
		e, known := has[s.Version]
		delete(has, s.Version)
		switch {
		case known && e.State == StateDone && e.Checksum == s.Checksum:
			continue
		case known && e.State == StateDone && !s.repeatable:
			return nil, fmt.Errorf("%w: step %s", ErrChecksum, label(s.Version, s.Name))
		case known && e.State == StateHalf && !s.Idempotent:
			return nil, fmt.Errorf("%w: step %s", ErrHalfDone, label(s.Version, s.Name))
		case s.Version < newest && !outOfOrder:
			return nil, fmt.Errorf("%w: step %s", ErrOutOfOrder, label(s.Version, s.Name))
		}
		steps = append(steps, s)
	}
	for _, e := range has {
		if e.State == StateDone && e.Version != modelsVersion {
			return steps, fmt.Errorf("%w: %s", ErrAhead, label(e.Version, e.Name))
		}
	}
	return steps, nil
}
