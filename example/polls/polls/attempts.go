package polls

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"time"
)

const (
	maxAttempts   = 10
	attemptWindow = 15 * time.Minute
)

// attempt writes down that somebody is about to try a password, and refuses the one after maxAttempts in a window. It counts
// before the password is looked at, so that trying many at once helps nobody; and the same for names that do not exist, so
// that the refusal tells nothing. The rows stand beside the accounts: whoever guesses elsewhere locks nobody out here.
func (a accounts) attempt(ctx context.Context, name, network string) (who string, err error) {
	db, now := a.db.WithContext(ctx), a.db.NowFunc()
	if err := db.Where("at <= ?", now.Add(-attemptWindow)).Delete(&Attempt{}).Error; err != nil {
		return "", err
	}
	try := Attempt{ID: rand.Text(), Who: hashOf(name + "\x00" + network), At: now}
	if err := db.Create(&try).Error; err != nil {
		return "", err
	}
	var n int64
	if err := db.Model(&Attempt{}).Where("who = ?", try.Who).Count(&n).Error; err != nil {
		return "", err
	}
	if n <= maxAttempts {
		return try.Who, nil
	}
	if err := db.Where("id = ?", try.ID).Delete(&Attempt{}).Error; err != nil {
		return "", err
	}
	return "", problem{
		Status: http.StatusTooManyRequests, Detail: "too many attempts; try again later", retryAfter: attemptWindow,
	}
}

// forgive forgets the attempts before the right password.
func (a accounts) forgive(ctx context.Context, who string) error {
	return a.db.WithContext(ctx).Where("who = ?", who).Delete(&Attempt{}).Error
}

// NetworkOf returns the part of an address that somebody cannot change at will: all of IPv4, a /64 of IPv6.
func NetworkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return ""
	}
	return prefix.String()
}
