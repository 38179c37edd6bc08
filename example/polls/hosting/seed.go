package hosting

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/operator"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

// Superuser is the name of the first user of each tenant of the demonstration. They have nothing but the name in common.
const Superuser = "shabda"

// Sample is a tenant of the demonstration as it starts.
type Sample struct {
	// Tenant is what it is made with.
	Tenant catalog.Tenant
	// Polls are those of its superuser.
	Polls []polls.Sample
}

// Samples returns the tenants of the demonstration; of a pinned process, its own. Their ids are the same: polls 1 and 2,
// choices 1 to 6. Of the two in a hybrid, thor shares tables and potter has a database.
func (s *Service) Samples() []Sample {
	thor := Sample{catalog.Tenant{ID: "thor", Name: "Thor's hall", Strategy: Shared}, []polls.Sample{
		{Question: "Who may lift the hammer next?", Choices: []string{"Jane", "Steve", "Nobody"}},
		{Question: "Which avenger tells the best story?", Choices: []string{"Clint", "Natasha", "Bruce"}},
	}}
	potter := Sample{catalog.Tenant{ID: "potter", Name: "Potter's common room", Strategy: Database}, []polls.Sample{
		{Question: "Which pet is best at school?", Choices: []string{"An owl", "A cat", "A toad"}},
		{Question: "How much does a swallow weigh, carrying nothing?", Choices: []string{"20 grams", "200 grams", "It depends"}},
	}}
	switch {
	case s.target.Strategy != Pinned:
		return []Sample{thor, potter}
	case s.target.tenant == potter.Tenant.ID:
		return []Sample{potter}
	}
	thor.Tenant.ID = s.target.tenant
	return []Sample{thor}
}

// Passwords are those of whom [Service.Seed] has made.
type Passwords struct {
	// Superusers are those of the tenants.
	Superusers map[tenancy.ID]string
	// Operator is empty if there was one, or is none in a pinned process.
	Operator string
}

// Seed makes the tenants of the demonstration that are missing, fills those that have no users, and makes the first
// operator, whose name is [Superuser], too.
func (s *Service) Seed(ctx context.Context) (made Passwords, err error) {
	made.Superusers = map[tenancy.ID]string{}
	if s.target.Strategy != Pinned {
		if made.Operator, err = operator.First(ctx, s.DB, Superuser); err != nil {
			return made, fmt.Errorf("make an operator: %w", err)
		}
	}
	for _, sample := range s.Samples() {
		id := sample.Tenant.ID
		if err := s.exists(ctx, sample.Tenant); err != nil {
			return made, fmt.Errorf("seed tenant %s: %w", id, err)
		}
		password, err := s.fill(tenancy.WithTenant(ctx, id), sample)
		if err != nil {
			return made, fmt.Errorf("seed tenant %s: %w", id, err)
		}
		if password != "" {
			made.Superusers[id] = password
		}
	}
	return made, nil
}

// exists makes a tenant unless there is one.
func (s *Service) exists(ctx context.Context, t catalog.Tenant) error {
	_, err := s.Catalog.Store().Get(tenancy.Central(ctx), t.ID)
	if errors.Is(err, tenancy.ErrUnknownTenant) {
		_, err = s.Catalog.Create(tenancy.Central(ctx), t)
	}
	return err
}

// fill stores a superuser and polls of theirs in a tenant without users, together. It returns the password.
func (s *Service) fill(ctx context.Context, sample Sample) (password string, err error) {
	err = s.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var users int64
		if err := tx.Model(&polls.User{}).Count(&users).Error; err != nil || users > 0 {
			return err
		}
		password = rand.Text()
		user, err := polls.CreateSuperuser(ctx, tx, Superuser, "", password)
		if err != nil {
			return err
		}
		return polls.Seed(ctx, tx, user.ID, sample.Polls...)
	})
	return password, err
}
