// Package models has the models of the polls.
package models

type Poll struct {
	ID       uint
	TenantID string `gorm:"size:63;not null;index"`
	Slug     string `gorm:"uniqueIndex"` // want `the unique index of Poll over Slug does not hold the tenant`
	Question string
	Choices  []Choice
}

func (Poll) TableName() string { return "questions" }

type Choice struct {
	ID       uint
	TenantID string `gorm:"size:63;uniqueIndex:u"`
	PollID   uint   `gorm:"uniqueIndex:n"`
	Number   int    `gorm:"uniqueIndex:n"`
	Text     string `gorm:"uniqueIndex:u"`
}

type Comment struct { // want `Comment refers to an owned model by PollID and has no tenant field`
	ID     uint `gorm:"primaryKey"`
	PollID uint
	Poll   Poll
}

type Plan struct {
	ID   uint   `gorm:"primaryKey"`
	Name string `gorm:"unique"`
}
