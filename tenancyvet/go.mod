module github.com/gorm-tenancy/tenancy/tenancyvet

go 1.25.0

require (
	golang.org/x/tools v0.49.0
	gorm.io/gorm v1.31.2
)

require (
	github.com/jinzhu/inflection v1.0.0 // indirect
	github.com/jinzhu/now v1.1.5 // indirect
	golang.org/x/mod v0.39.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/text v0.20.0 // indirect
)
