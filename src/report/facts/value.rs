//! Facts as JSON values. `serde_json` alone refuses maps whose keys are no strings, and facts have such.

use std::fmt::Display;

use serde::ser::{
    self, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Map, Value};

/// Any value as JSON; map keys that are no strings are written as their own JSON.
pub(super) fn of(value: &impl Serialize) -> Value {
    // Facts are plain values: their serialisation has no errors of its own.
    value.serialize(Plain).unwrap_or(Value::Null)
}

struct Plain;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Never(String);

impl ser::Error for Never {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// A list, a map, or one of them under the name of a variant.
#[derive(Default)]
struct Parts {
    variant: Option<&'static str>,
    list: Vec<Value>,
    map: Map<String, Value>,
    key: String,
}

impl Parts {
    fn of(variant: &'static str) -> Self {
        Self { variant: Some(variant), ..Self::default() }
    }

    fn push(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Never> {
        self.list.push(value.serialize(Plain)?);
        Ok(())
    }

    fn insert(&mut self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Never> {
        self.map.insert(key.to_owned(), value.serialize(Plain)?);
        Ok(())
    }

    fn under(variant: Option<&'static str>, value: Value) -> Value {
        match variant {
            Some(variant) => Value::Object([(variant.to_owned(), value)].into_iter().collect()),
            None => value,
        }
    }

    fn list(self) -> Result<Value, Never> {
        Ok(Self::under(self.variant, Value::Array(self.list)))
    }

    fn map(self) -> Result<Value, Never> {
        Ok(Self::under(self.variant, Value::Object(self.map)))
    }
}

macro_rules! plainly {
    ($($name:ident: $type:ty),+ $(,)?) => {
        $(fn $name(self, value: $type) -> Result<Value, Never> {
            Ok(Value::from(value))
        })+
    };
}

impl Serializer for Plain {
    type Ok = Value;
    type Error = Never;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    plainly! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64, serialize_str: &str, serialize_bytes: &[u8],
    }

    fn serialize_char(self, value: char) -> Result<Value, Never> {
        Ok(Value::from(value.to_string()))
    }
    fn serialize_none(self) -> Result<Value, Never> {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Never> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<Value, Never> {
        Ok(Value::Null)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Never> {
        Ok(Value::Null)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value, Never> {
        Ok(Value::from(variant))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Never> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Never> {
        Ok(Parts::under(Some(variant), value.serialize(self)?))
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Never> {
        Ok(Parts::default())
    }
    fn serialize_tuple(self, _: usize) -> Result<Parts, Never> {
        Ok(Parts::default())
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Never> {
        Ok(Parts::default())
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Never> {
        Ok(Parts::of(variant))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Never> {
        Ok(Parts::default())
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Never> {
        Ok(Parts::default())
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Never> {
        Ok(Parts::of(variant))
    }
}

macro_rules! listed {
    ($($part:ident::$add:ident),+ $(,)?) => {
        $(impl $part for Parts {
            type Ok = Value;
            type Error = Never;
            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
                self.push(value)
            }
            fn end(self) -> Result<Value, Never> {
                self.list()
            }
        })+
    };
}
listed!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
);

macro_rules! named {
    ($($part:ident),+) => {
        $(impl $part for Parts {
            type Ok = Value;
            type Error = Never;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Never> {
                self.insert(key, value)
            }
            fn end(self) -> Result<Value, Never> {
                self.map()
            }
        })+
    };
}
named!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Parts {
    type Ok = Value;
    type Error = Never;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Never> {
        self.key = match key.serialize(Plain)? {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        let key = std::mem::take(&mut self.key);
        self.insert(&key, value)
    }
    fn end(self) -> Result<Value, Never> {
        self.map()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[derive(serde::Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Key {
        Unit,
        Pair(u8, char),
    }

    #[derive(serde::Serialize)]
    struct All {
        by_key: BTreeMap<Key, Option<()>>,
        by_number: BTreeMap<i64, (bool, f64)>,
        text: &'static str,
    }

    #[test]
    fn maps_may_have_any_keys() {
        let all = All {
            by_key: [(Key::Unit, None), (Key::Pair(1, 'x'), Some(()))].into(),
            by_number: [(-3, (true, 0.5))].into(),
            text: "é",
        };
        assert_eq!(
            of(&all),
            json!({
                "by_key": { "Unit": null, r#"{"Pair":[1,"x"]}"#: null },
                "by_number": { "-3": [true, 0.5] },
                "text": "é",
            })
        );
    }
}
