//! Tests over made events.
