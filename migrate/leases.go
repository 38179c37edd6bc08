package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"
)

// lease is a row of "tenancy_leases": who works on a tenant, and until when if nothing more is heard.
type lease struct {
	Tenant string `gorm:"primaryKey;size:63"`
	Owner  string `gorm:"size:64;not null;index"`
	Until  int64  `gorm:"not null"` // milliseconds since 1970, by the clock of the runner
}

// TableName is called by GORM.
func (lease) TableName() string { return "tenancy_leases" }

// leases are locks for databases without any, and behind poolers. A goroutine renews them until close.
type leases struct {
	ledger ledger
	owner  string
	life   time.Duration
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

func newLeases(ctx context.Context, l ledger, owner string, life time.Duration) *leases {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &leases{ledger: l, owner: owner, life: life, stop: stop}
	s.ended.Go(func() {
		tick := time.NewTicker(life / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				// One that could not be renewed is taken by another runner, whom the tenant's own versions then stop.
				_ = s.ledger.in(ctx).Model(&lease{}).Where("owner = ?", owner).Update("until", s.until()).Error
			}
		}
	})
	return s
}

func (s *leases) until() int64 { return time.Now().Add(s.life).UnixMilli() }

func (s *leases) acquire(ctx context.Context, tenant string) (ok bool, err error) {
	taken := s.ledger.in(ctx).Model(&lease{}).Where("tenant = ? AND until < ?", tenant, time.Now().UnixMilli()).
		Updates(map[string]any{"owner": s.owner, "until": s.until()})
	if taken.Error != nil {
		return false, fmt.Errorf("migrate: lease: %w", taken.Error)
	}
	if taken.RowsAffected > 0 {
		return true, nil
	}
	err = s.ledger.in(ctx).Create(&lease{Tenant: tenant, Owner: s.owner, Until: s.until()}).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("migrate: lease: %w", err)
	}
	return true, nil
}

func (s *leases) release(ctx context.Context, tenant string) error {
	return s.ledger.in(ctx).Where("tenant = ? AND owner = ?", tenant, s.owner).Delete(&lease{}).Error
}

func (s *leases) close(ctx context.Context) {
	s.stop()
	s.ended.Wait()
	_ = s.ledger.in(ctx).Where("owner = ?", s.owner).Delete(&lease{}).Error // else they run out
}
