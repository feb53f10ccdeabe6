//! The icons of the pages, drawn in the color of the text around them. Each stands next to a word, so it has no text of its own.

use maud::{Markup, html};

/// Draws the icon with this name: a tab, a state, or the label of a reason category. An unknown name draws a dot.
pub(super) fn icon(name: &str) -> Markup {
    html! {
        svg.icon viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" {
            path d=(path(name)) fill=(if is_filled(name) { "currentColor" } else { "none" }) stroke="currentColor"
                stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" {}
        }
    }
}

/// Whether an icon is a filled shape. At a small size, filled shapes and outlines are easy to tell apart.
fn is_filled(name: &str) -> bool {
    matches!(name, "live" | "ended" | "bad" | "internal" | "client")
}

fn path(name: &str) -> &'static str {
    match name {
        // Tabs
        "now" => {
            "M8 8h.01M5 11a4.2 4.2 0 0 1 0-6M11 5a4.2 4.2 0 0 1 0 6M2.7 13.3a7.5 7.5 0 0 1 0-10.6M13.3 2.7a7.5 7.5 0 0 1 0 10.6"
        }
        "timeline" => "M2 3.5h6M5 8h8M3 12.5h5",
        "reasons" => "M2.5 14V9M6.2 14V3M9.8 14V6.5M13.5 14v-3",
        "events" => "M2.5 4h.01M2.5 8h.01M2.5 12h.01M5.5 4h8M5.5 8h8M5.5 12h8",
        "refused" => "M8 1.8l5.2 2v4c0 3.2-2.2 5.4-5.2 6.4-3-1-5.2-3.2-5.2-6.4v-4zM6 6l4 4M10 6l-4 4",
        "sinks" => "M2 8h8M7 4.5 10.5 8 7 11.5M13.5 3v10",
        // States
        "live" => "M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z",
        "ended" => "M5 5h6v6H5z",
        "stale" => "M8 3.5 13 12H3z",
        "good" => "M3.5 8.5 6.5 11.5 12.5 4.5",
        "warning" => "M8 2.5 14.2 13.2H1.8zM8 6.5v3M8 11.3h.01",
        "bad" => "M5.2 1.8h5.6l3.4 3.4v5.6l-3.4 3.4H5.2l-3.4-3.4V5.2z",
        // Reason categories
        "client" => "M5 5h6v6H5z",
        "network" => "M2 6.5a9 9 0 0 1 12 0M4.5 9.3a5.2 5.2 0 0 1 7 0M8 12.2h.01M3 13 13 3",
        "content" => "M3 3.5h10v9H3zM3 6.5h10M6 3.5v3M10 3.5v3",
        "idle" => "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3.2l2 1.3",
        "internal" => "M8 2 14 12.5H2z",
        "rejected" => "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM4.2 4.2l7.6 7.6",
        "operator" => "M8 8.2a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM3 13.8c.5-2.4 2.4-3.6 5-3.6s4.5 1.2 5 3.6",
        "replaced" => "M2.5 6h9M9 3.5 11.5 6 9 8.5M13.5 10.5h-9M7 8l-2.5 2.5L7 13",
        "manual" => "M5 8V3.8a1 1 0 0 1 2 0V7m0-3.7a1 1 0 0 1 2 0V7m0-2.7a1 1 0 0 1 2 0V9.5a4 4 0 0 1-7.5 2L2.5 9",
        "unknown" => "M5.8 6a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.6M8 12.2h.01",
        // Others
        "search" => "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3l3.4 3.4",
        "external" => "M6 3H3v10h10v-3M9 3h4v4M13 3 7.5 8.5",
        "earlier" => "M10 3.5 5.5 8l4.5 4.5",
        "later" => "M6 3.5 10.5 8 6 12.5",
        "closer" => "M8 3.5v9M3.5 8h9",
        "wider" => "M3.5 8h9",
        "same" => "M3.5 6h9M3.5 10h9",
        "remove" => "M4.5 4.5l7 7M11.5 4.5l-7 7",
        "ascending" => "M8 12.5v-9M4.5 7 8 3.5 11.5 7",
        "descending" => "M8 3.5v9M4.5 9 8 12.5 11.5 9",
        _ => "M8 8h.01",
    }
}
