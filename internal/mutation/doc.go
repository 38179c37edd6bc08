// Package mutation removes the guards of the library one at a time and sees a test fail each time: make mutate.
package mutation
