package main

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// seedTenant is a tenant as it starts.
type seedTenant struct {
	id    tenancy.ID
	name  string
	polls []Poll
}

// seeds returns the tenants of the example. Their ids are the same on purpose: polls 1 and 2, choices 1 to 6.
func seeds() []seedTenant {
	return []seedTenant{
		{"thor", "Thor's hall", []Poll{
			seedPoll(1, "Who may lift the hammer next?", "Jane", "Steve", "Nobody"),
			seedPoll(2, "How shall we travel?", "By bridge", "By goat cart", "On foot"),
		}},
		{"potter", "Potter's common room", []Poll{
			seedPoll(1, "Which pet is best at school?", "An owl", "A cat", "A toad"),
			seedPoll(2, "Where do we meet on Friday?", "In the library", "By the lake", "On the third floor"),
		}},
	}
}

func seedPoll(id int64, question, a, b, c string) Poll {
	first := 3*id - 2
	return Poll{ID: id, Question: question, Choices: []Choice{
		{ID: first, Text: a}, {ID: first + 1, Text: b}, {ID: first + 2, Text: c},
	}}
}

// seed creates the tables and the tenants that do not exist yet.
func seed(ctx context.Context, db *gorm.DB) error {
	err := db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(&Tenant{}, &Poll{}, &Choice{}, &Vote{})
	if err != nil {
		return fmt.Errorf("create tables: %w", err)
	}
	for _, t := range seeds() {
		err := directory{db}.Lookup(ctx, t.id)
		if errors.Is(err, tenancy.ErrUnknownTenant) {
			err = t.create(ctx, db)
		}
		if err != nil {
			return fmt.Errorf("seed tenant %s: %w", t.id, err)
		}
	}
	return nil
}

// create stores the tenant and its polls together. No poll, choice or vote says whose it is: the context does.
func (t seedTenant) create(ctx context.Context, db *gorm.DB) error {
	return db.WithContext(tenancy.WithTenant(ctx, t.id)).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&Tenant{ID: t.id.String(), Name: t.name}).Error; err != nil {
			return err
		}
		return tx.Create(&t.polls).Error
	})
}
