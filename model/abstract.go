package model

// Interface is a GraphQL interface of the model file: fields that several
// types have in common. It has no table.
type Interface struct {
	Name        string
	Description string
	Pos         Pos
	Fields      []*InterfaceField // in file order
	// Interfaces are those that it implements itself, as the file names them.
	Interfaces []*Interface
	// Types are the types that implement it, in file order.
	Types []*Type
}

// Field returns the field of that name, or nil.
func (i *Interface) Field(name string) *InterfaceField {
	for _, f := range i.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// InterfaceField is a field that every type of an Interface has.
type InterfaceField struct {
	Name        string
	Description string
	Deprecated  *string // the reason, or nil
	Pos         Pos
	Type        TypeRef
}

// Union is a GraphQL union of the model file: one of several types. It has no
// table.
type Union struct {
	Name        string
	Description string
	Pos         Pos
	Types       []*Type // as the file names them
}

// Interface returns the interface of that name, or nil.
func (m *Model) Interface(name string) *Interface {
	for _, i := range m.Interfaces {
		if i.Name == name {
			return i
		}
	}
	return nil
}

// Union returns the union of that name, or nil.
func (m *Model) Union(name string) *Union {
	for _, u := range m.Unions {
		if u.Name == name {
			return u
		}
	}
	return nil
}

// PossibleTypes returns the types that a value of an interface or union may
// have; nil for any other name.
func (m *Model) PossibleTypes(name string) []*Type {
	if i := m.Interface(name); i != nil {
		return i.Types
	}
	if u := m.Union(name); u != nil {
		return u.Types
	}
	return nil
}
