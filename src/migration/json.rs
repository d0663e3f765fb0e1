//! JSON whose objects keep the order of their keys, so that a file written anew differs from the last one only where it changes.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A value; the keys of objects are in the order in which they were read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    /// A text, a number, a truth value, null.
    Plain(Value),
}

impl Json {
    /// Writes a value as much like an earlier one as it can be: keys in that one's order, new ones as objects like it have
    /// them, else in the order of `usual`.
    pub(super) fn like(value: &Value, before: Option<&Self>, usual: &[&str]) -> Self {
        match value {
            Value::Object(map) => {
                let old: &[(String, Self)] = match before {
                    Some(Self::Object(old)) => old,
                    _ => &[],
                };
                let place = |key: &str| old.iter().position(|(k, _)| k == key);
                let mut keys: Vec<&String> = map.keys().collect();
                keys.sort_by_key(|key| {
                    let usual = usual.iter().position(|u| u == key);
                    (place(key).unwrap_or(usize::MAX), usual.unwrap_or(usize::MAX))
                });
                let member = |key: &String| {
                    let own = place(key).map(|at| &old[at].1);
                    // A key or an index that is new looks like its neighbours.
                    let like = own.or_else(|| old.iter().map(|(_, v)| v).find(|v| v.resembles(&map[key])));
                    (key.clone(), Self::like(&map[key], like, usual))
                };
                Self::Object(keys.into_iter().map(member).collect())
            }
            Value::Array(values) => {
                let old: &[Self] = match before {
                    Some(Self::Array(old)) => old,
                    _ => &[],
                };
                let element = |(at, value): (usize, &Value)| {
                    let own = old.get(at).filter(|o| o.resembles(value));
                    Self::like(value, own.or_else(|| old.iter().find(|o| o.resembles(value))), usual)
                };
                Self::Array(values.iter().enumerate().map(element).collect())
            }
            plain => Self::Plain(plain.clone()),
        }
    }

    /// Tells whether it is an object with the same keys.
    fn resembles(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Object(own), Value::Object(map)) => {
                own.len() == map.len() && own.iter().all(|(key, _)| map.contains_key(key))
            }
            _ => false,
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(members) => serializer.collect_map(members.iter().map(|(k, v)| (k, v))),
            Self::Array(values) => serializer.collect_seq(values),
            Self::Plain(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
        Ok(Json::Plain(v.into()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
        Ok(Json::Plain(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
        Ok(Json::Plain(v.into()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Json, E> {
        Ok(Json::Plain(v.into()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Json, E> {
        Ok(Json::Plain(v.into()))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Plain(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(before: &str, value: &Value) -> String {
        let before: Json = serde_json::from_str(before).unwrap();
        serde_json::to_string(&Json::like(value, Some(&before), &["name", "columns"])).unwrap()
    }

    #[test]
    fn what_stays_stands_where_it_stood() {
        let text = r#"{"z":1,"a":[{"k":null,"b":true},{"y":"é","x":-1.5}],"m":{}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(written(text, &value), text);
    }

    #[test]
    fn what_is_new_looks_like_its_neighbours() {
        let text = r#"{"keys":{"one":{"to":1,"from":2}},"list":[{"type":"c","name":"d"}]}"#;
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["keys"]["another"] = serde_json::json!({"from": 3, "to": 4});
        value["list"] = serde_json::json!([{"name": "e", "type": "f"}, {"columns": [], "name": "g"}]);
        let expected = r#"{"keys":{"one":{"to":1,"from":2},"another":{"to":4,"from":3}},"#.to_string()
            + r#""list":[{"type":"f","name":"e"},{"name":"g","columns":[]}]}"#;
        assert_eq!(written(text, &value), expected);
    }
}
