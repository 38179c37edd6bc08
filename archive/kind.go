package archive

import (
	"database/sql"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"gorm.io/gorm/schema"
)

// kindOf says how a column is written. The model decides where it can, because it is the same on every database: a bool is
// a number on MySQL. Where the field hides its form (serializers, types of their own), the type of the column does.
func kindOf(f *schema.Field, columnType string) Kind {
	declared := typeName(string(f.DataType))
	if isJSON(f, declared) {
		return JSON
	}
	known, ok := typeKinds[typeName(columnType)]
	if !ok {
		known = Text
	}
	if f.Serializer != nil && f.TagSettings["SERIALIZER"] != "" {
		return known
	}
	if isTime(f.IndirectFieldType) {
		if declared == "date" || known == Date {
			return Date
		}
		return Time
	}
	switch f.GORMDataType {
	case schema.Bool:
		return Bool
	case schema.Int, schema.Uint:
		return Int
	case schema.Float:
		return Decimal
	}
	return known
}

// isJSON looks at the tags: MariaDB has no column type of that name.
func isJSON(f *schema.Field, declared string) bool {
	return declared == "json" || declared == "jsonb" || typeName(string(f.GORMDataType)) == "json" ||
		strings.EqualFold(f.TagSettings["SERIALIZER"], "json") || f.IndirectFieldType == reflect.TypeFor[json.RawMessage]()
}

func isTime(t reflect.Type) bool {
	return t.ConvertibleTo(reflect.TypeFor[time.Time]()) || t.ConvertibleTo(reflect.TypeFor[sql.NullTime]()) ||
		t.ConvertibleTo(reflect.TypeFor[sql.Null[time.Time]]())
}

// typeName is a column's type without its size.
func typeName(declared string) string {
	declared, _, _ = strings.Cut(strings.ToLower(declared), "(")
	declared = strings.TrimSuffix(strings.TrimSpace(declared), " unsigned")
	return declared
}

// typeKinds are the column types of the databases that are no text.
var typeKinds = map[string]Kind{
	"bool": Bool, "boolean": Bool,
	"int": Int, "integer": Int, "bigint": Int, "smallint": Int, "tinyint": Int, "mediumint": Int,
	"int2": Int, "int4": Int, "int8": Int, "serial": Int, "bigserial": Int, "smallserial": Int, "year": Int, "oid": Int,
	"decimal": Decimal, "numeric": Decimal, "real": Decimal, "float": Decimal, "double": Decimal, "double precision": Decimal,
	"float4": Decimal, "float8": Decimal,
	"bytea": Bytes, "blob": Bytes, "tinyblob": Bytes, "mediumblob": Bytes, "longblob": Bytes, "binary": Bytes, "varbinary": Bytes,
	"timestamp": Time, "timestamptz": Time, "datetime": Time, "timestamp with time zone": Time, "timestamp without time zone": Time,
	"date": Date,
	"json": JSON, "jsonb": JSON,
}
