package retrofit

// BeforeStatement sets a function that is called before each statement that changes something.
func (r *Retrofit) BeforeStatement(f func(query string)) { r.statement = f }
