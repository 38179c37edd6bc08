package archive

import (
	"strconv"
	"strings"
)

// plainDigits is how many zeros are written out; numbers further from one have an exponent.
const plainDigits = 40

// canonicalDecimal writes a number in the one form that all its spellings share: 1.50, 15e-1 and +01.5 are 1.5.
func canonicalDecimal(s string) (string, bool) {
	switch strings.ToLower(s) {
	case "nan":
		return "NaN", true
	case "infinity", "inf", "+infinity", "+inf":
		return "Infinity", true
	case "-infinity", "-inf":
		return "-Infinity", true
	}
	sign := ""
	switch {
	case strings.HasPrefix(s, "-"):
		sign, s = "-", s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.Atoi(s[i+1:]); err != nil || exponent > 1e9 || exponent < -1e9 {
			return "", false
		}
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	exponent -= len(fraction)
	short := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(short)
	short = strings.TrimLeft(short, "0")
	if short == "" {
		return "0", true
	}
	return sign + plain(short, exponent), true
}

// plain writes digits × 10^exponent.
func plain(digits string, exponent int) string {
	switch {
	case exponent >= 0 && exponent <= plainDigits:
		return digits + strings.Repeat("0", exponent)
	case exponent < 0 && -exponent < len(digits):
		point := len(digits) + exponent
		return digits[:point] + "." + digits[point:]
	case exponent < 0 && -exponent-len(digits) <= plainDigits:
		return "0." + strings.Repeat("0", -exponent-len(digits)) + digits
	}
	return digits + "e" + strconv.Itoa(exponent)
}
