//! Describes the log and the bus as an AsyncAPI 3.0 document.

use forewarn_deliver::announcement::detail_type_of;
use forewarn_log::event::{KINDS, Kind};
use serde_json::{Map, Value, json};

const SCHEMA_FORMAT: &str = "application/schema+json;version=draft-07";

/// Gives the whole document; schemas are referred to by file name.
pub(super) fn document() -> Value {
    let mut messages = Map::new();
    let mut in_log = Map::new();
    let mut on_bus = Map::new();
    let mut on_eventbridge = Map::new();
    for kind in KINDS.iter() {
        let name = format!("log.{}", kind.full());
        in_log.insert(name.clone(), reference(&format!("#/components/messages/{name}")));
        messages.insert(name, logged(kind));
        if let Some(detail_type) = detail_type_of(kind.name) {
            let name = format!("bus.{}", kind.full());
            on_bus.insert(name.clone(), reference(&format!("#/components/messages/{name}")));
            messages.insert(name, announced(kind, detail_type, "announcement.json"));
            let name = format!("eventbridge.{}", kind.full());
            on_eventbridge.insert(name.clone(), reference(&format!("#/components/messages/{name}")));
            messages.insert(name, announced(kind, detail_type, "eventbridge.json"));
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "forewarn",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Predictions of EC2 instance failures, and what came of them. Delivery on the bus is at least once; ids are stable.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "channels": {
            "log": {
                "address": "forewarn.log",
                "title": "Event log",
                "description": "Every event, as a CloudEvent.",
                "messages": in_log,
            },
            "bus": {
                "address": "forewarn.bus",
                "title": "Bus",
                "description": "What others are told, shaped like an event of EventBridge; one JSON object a line in the JSON Lines file.",
                "messages": on_bus,
            },
            "eventbridge": {
                "address": "forewarn.eventbridge",
                "title": "EventBridge",
                "description": "The same as EventBridge delivers it, source forewarn; a rule on {\"source\": [\"forewarn\"], \"detail\": {\"confidence\": [\"high\"]}} chooses the urgent ones. Delivery repeats: drop what has a detail.event_id that was seen.",
                "messages": on_eventbridge,
            },
        },
        "operations": {
            "record": { "action": "send", "channel": reference("#/channels/log"), "summary": "Writes down what happened." },
            "announce": { "action": "send", "channel": reference("#/channels/bus"), "summary": "Tells others what happened." },
            "announceOnEventBridge": { "action": "send", "channel": reference("#/channels/eventbridge"), "summary": "Tells others on AWS what happened." },
        },
        "components": { "messages": messages },
    })
}

fn reference(to: &str) -> Value {
    json!({ "$ref": to })
}

fn logged(kind: &Kind) -> Value {
    let full = kind.full();
    message(&full, &full, "envelope.json", json!({ "type": { "const": full }, "data": data(kind) }))
}

fn announced(kind: &Kind, detail_type: &str, shape: &str) -> Value {
    let full = kind.full();
    let typed = json!({ "properties": { "event_type": { "const": full } } });
    let narrowed = json!({
        "detail-type": { "const": detail_type },
        "detail": { "allOf": [data(kind), reference("./detail.json"), typed] },
    });
    message(&full, detail_type, shape, narrowed)
}

fn data(kind: &Kind) -> Value {
    reference(&format!("./{}.json", kind.full()))
}

fn message(name: &str, title: &str, shape: &str, properties: Value) -> Value {
    let narrowed = Value::Object(Map::from_iter([("properties".to_owned(), properties)]));
    json!({
        "name": name,
        "title": title,
        "payload": {
            "schemaFormat": SCHEMA_FORMAT,
            "schema": { "allOf": [reference(&format!("./{shape}")), narrowed] },
        },
    })
}
