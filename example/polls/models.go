package main

import "time"

// The primary key of every owned table begins with the tenant: two tenants may use the same ids, and a foreign key,
// which has to name the tenant as well, cannot point at another tenant's row. The plugin writes TenantID on create and
// adds it to every condition; the handlers never touch it.

// Poll is a question with choices.
type Poll struct {
	TenantID  string    `gorm:"primaryKey;size:63" json:"-"`
	ID        int64     `gorm:"primaryKey;autoIncrement:false" json:"id"`
	Question  string    `gorm:"size:200;not null" json:"question"`
	CreatedAt time.Time `json:"created_at"`
	Choices   []Choice  `gorm:"foreignKey:TenantID,PollID;references:TenantID,ID" json:"choices,omitempty"`
}

// Choice is one answer to a poll. The second unique key is there for votes to refer to.
type Choice struct {
	TenantID string `gorm:"primaryKey;size:63;uniqueIndex:choices_of_poll,priority:1" json:"-"`
	ID       int64  `gorm:"primaryKey;autoIncrement:false;uniqueIndex:choices_of_poll,priority:3" json:"id"`
	PollID   int64  `gorm:"not null;uniqueIndex:choices_of_poll,priority:2" json:"-"`
	Text     string `gorm:"size:100;not null" json:"text"`
	Votes    []Vote `gorm:"foreignKey:TenantID,PollID,ChoiceID;references:TenantID,PollID,ID" json:"-"`
}

// Vote is one voter's answer. Its primary key allows one vote for each voter and poll; its foreign key holds poll and
// choice together, so that a choice of another poll does not fit.
type Vote struct {
	TenantID  string    `gorm:"primaryKey;size:63" json:"-"`
	PollID    int64     `gorm:"primaryKey;autoIncrement:false" json:"poll_id"`
	Voter     string    `gorm:"primaryKey;size:100" json:"voter"`
	ChoiceID  int64     `gorm:"not null" json:"choice_id"`
	CreatedAt time.Time `json:"created_at"`
}
