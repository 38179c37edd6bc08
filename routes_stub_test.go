package tenancy_test

var joinRoutes = []route{}
var subqueryRoutes = []route{}
var textRoutes = []route{}
var createRoutes = []route{}
var upsertRoutes = []route{}
var updateRoutes = []route{}
var deleteRoutes = []route{}
var associationRoutes = []route{}
var sessionRoutes = []route{}
var genericsRoutes = []route{}
var rawRoutes = []route{}
