package config

import (
	"maps"
	"reflect"
	"slices"
)

// Merge gives p with every key that over names replaced by over's. Tables
// (headers, surfaces, connect) merge key by key, models by their id; lists replace.
// Neither p nor over is changed, and the result shares no map or list with them.
func (p Provider) Merge(over Provider) Provider {
	var out Provider
	models := mergeModels(mergeModels(nil, p.Models), over.Models)
	p.Models, over.Models = nil, nil
	overlay(reflectValue(&out), reflectValue(&p))
	overlay(reflectValue(&out), reflectValue(&over))
	out.Models = models
	maps.DeleteFunc(out.Headers, func(_, v string) bool { return v == "" })
	maps.DeleteFunc(out.Surfaces, func(_, v string) bool { return v == surfaceOff })
	return out
}

// Rows gives the catalogue with the config's providers laid over it.
func (c Config) Rows(catalogue map[string]Provider) map[string]Provider {
	rows := make(map[string]Provider, len(catalogue)+len(c.Providers))
	maps.Copy(rows, catalogue)
	for name, over := range c.Providers {
		rows[name] = catalogue[name].Merge(over)
	}
	return rows
}

// mergeModels lays over onto base, which it may change, by model id.
func mergeModels(base, over []Model) []Model {
	for _, m := range over {
		i := slices.IndexFunc(base, func(b Model) bool { return b.ID == m.ID })
		if i < 0 {
			i = len(base)
			base = append(base, Model{})
		}
		overlay(reflectValue(&base[i]), reflectValue(&m))
	}
	return base
}

// overlay copies every field of src that is set onto dst. Maps merge by key;
// a list or map in dst is replaced by a copy, never written through.
func overlay(dst, src reflect.Value) {
	for i := range src.NumField() {
		d, s := dst.Field(i), src.Field(i)
		switch {
		case s.Kind() == reflect.Struct:
			overlay(d, s)
		case s.IsZero():
		case s.Kind() == reflect.Map:
			merged := reflect.MakeMap(s.Type())
			for _, m := range []reflect.Value{d, s} {
				for it := m.MapRange(); it.Next(); {
					merged.SetMapIndex(it.Key(), overlaid(merged.MapIndex(it.Key()), it.Value()))
				}
			}
			d.Set(merged)
		case s.Kind() == reflect.Slice:
			d.Set(reflect.AppendSlice(reflect.MakeSlice(s.Type(), 0, s.Len()), s))
		default:
			d.Set(s)
		}
	}
}

// overlaid is the entry of a merged map: tables merge, all else replaces.
func overlaid(below, above reflect.Value) reflect.Value {
	if !below.IsValid() || above.Kind() != reflect.Struct {
		return above
	}
	both := reflect.New(above.Type()).Elem()
	overlay(both, below)
	overlay(both, above)
	return both
}

// reflectValue is the addressable struct behind a pointer.
func reflectValue[T any](p *T) reflect.Value { return reflect.ValueOf(p).Elem() }
