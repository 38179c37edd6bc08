package polls

import (
	"time"

	"github.com/gorm-tenancy/tenancy/example/polls/record"
)

// Models returns the models of the application in an order in which their tables can be made.
func Models() []any {
	return []any{&record.Counter{}, &User{}, &Token{}, &Session{}, &Attempt{}, &Poll{}, &Choice{}, &Vote{}}
}

// What is deleted takes with it what points at it. A foreign key names both halves of the key it points at (see package
// record).

// User is an account.
type User struct {
	record.Unique
	// Username is there once, whatever the case of its letters; see foldName.
	Username string `gorm:"size:150;not null" json:"username"`
	// FoldedName is what has to be unique.
	FoldedName string `gorm:"size:150;not null;uniqueIndex:,composite:unique" json:"-"`
	// Email may be empty.
	Email string `gorm:"size:254;not null" json:"email"`
	// PasswordHash is bcrypt's. An account without one cannot sign in.
	PasswordHash string `gorm:"size:60;not null" json:"-"`
	// IsStaff lets the user into the admin.
	IsStaff bool `gorm:"not null" json:"-"`
	// IsSuperuser lets the user manage accounts there, too.
	IsSuperuser bool `gorm:"not null" json:"-"`
}

// Credential is what a browser or a program shows instead of a password.
type Credential struct {
	record.Key
	// Hash is that of the secret, which nobody stores.
	Hash string `gorm:"primaryKey;size:64"`
	// UserID is whom it signs in.
	UserID int64 `gorm:"not null;index"`
	// User is loaded with it.
	User *User `gorm:"foreignKey:Space,UserID;references:Space,ID;constraint:OnDelete:CASCADE"`
	// ExpiresAt is when it ceases to.
	ExpiresAt time.Time `gorm:"not null;index"`
}

// Token signs a program's requests: Authorization: Token <key>. A user has one for each time a program logged in.
type Token struct{ Credential }

// Session signs a browser's requests by a cookie.
type Session struct{ Credential }

// Attempt is one try to guess a password that has not turned out right.
type Attempt struct {
	record.Key
	// ID is random.
	ID string `gorm:"primaryKey;size:26"`
	// Who is a hash of the name and the network it came from.
	Who string `gorm:"size:64;not null;index"`
	// At is when.
	At time.Time `gorm:"not null;index"`
}

// Poll is a question with choices.
type Poll struct {
	record.Record
	// Choices are in the order of their ids.
	Choices []Choice `gorm:"foreignKey:Space,PollID;references:Space,ID;constraint:OnDelete:CASCADE" json:"choices"`
	// Question is not empty.
	Question string `gorm:"size:100;not null" json:"question"`
	// PubDate is when the poll was saved last. Its choices and votes do not change it, and no request names it.
	PubDate time.Time `gorm:"not null;autoUpdateTime" json:"pub_date"`
	// CreatedByID is the only user who may change the poll.
	CreatedByID int64 `gorm:"not null;index" json:"created_by"`
	// CreatedBy is loaded where a page shows the name.
	CreatedBy *User `gorm:"foreignKey:Space,CreatedByID;references:Space,ID;constraint:OnDelete:CASCADE" json:"-"`
}

// Choice is one answer to a poll.
type Choice struct {
	record.Record
	// Votes are in the order of their ids.
	Votes []Vote `gorm:"foreignKey:Space,ChoiceID;references:Space,ID;constraint:OnDelete:CASCADE" json:"votes"`
	// PollID never changes.
	PollID int64 `gorm:"not null;index" json:"poll"`
	// Poll is loaded where a page shows the question.
	Poll *Poll `gorm:"foreignKey:Space,PollID;references:Space,ID;constraint:OnDelete:CASCADE" json:"-"`
	// ChoiceText is not empty.
	ChoiceText string `gorm:"size:100;not null" json:"choice_text"`
}

// Vote is one user's answer. There is one for each poll and user.
type Vote struct {
	record.Unique
	// ChoiceID is one of the poll's; see vote.
	ChoiceID int64 `gorm:"not null;index" json:"choice"`
	// PollID is what the vote is unique in.
	PollID int64 `gorm:"not null;uniqueIndex:,composite:unique" json:"poll"`
	// VotedByID is the user who was signed in.
	VotedByID int64 `gorm:"not null;uniqueIndex:,composite:unique;index" json:"voted_by"`
	// Choice is loaded where a page shows its text.
	Choice *Choice `gorm:"foreignKey:Space,ChoiceID;references:Space,ID;constraint:OnDelete:CASCADE" json:"-"`
	// Poll is loaded where a page shows the question.
	Poll *Poll `gorm:"foreignKey:Space,PollID;references:Space,ID;constraint:OnDelete:CASCADE" json:"-"`
	// VotedBy is loaded where a page shows the name.
	VotedBy *User `gorm:"foreignKey:Space,VotedByID;references:Space,ID;constraint:OnDelete:CASCADE" json:"-"`
}
