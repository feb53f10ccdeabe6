//! Both modes with real programs: scripts of `sh`, which the sink itself never uses.

use super::*;
use crate::sink::command::testing::{Scripted, is_gone, wait_until};
use crate::sink::testing::{names, reason, records_of_streams};

#[tokio::test]
async fn a_dropped_delivery_leaves_no_process() {
    for mode in ["each", "lines"] {
        let script = "if [ -e child ]; then read -r e; id=${e#*'\"id\":\"'}; echo ok ${id%%'\"'*}; exit 0; fi; sleep 100 & echo $! > number; mv number child; wait";
        let mut scripted = Scripted::new(script, &format!("mode = \"{mode}\""));
        let path = scripted.path("child");
        tokio::select! {
            _ = scripted.deliver(&["a"]) => panic!("it is not done"),
            () = wait_until("the program starts a child", || path.exists()) => {}
        }
        is_gone(&path).await;
        assert_eq!(names(&scripted.deliver(&["a"]).await), ["delivered"]);
    }
}

#[tokio::test]
async fn a_probe_finds_a_missing_program() {
    for mode in ["each", "lines"] {
        let options = format!("program = \"/nowhere/notify\"\nmode = \"{mode}\"");
        let mut sink = CommandSink::new("it", toml::from_str(&options).unwrap());
        let outcomes = sink.deliver(&records_of_streams(&["a", "b", "c"])).await;
        assert_eq!(names(&outcomes), ["retry", "retry", "held"]);
        let expected = reason(&outcomes[0]);
        assert_eq!(expected, "`program` names /nowhere/notify, which livehook cannot execute; correct `program`");
        assert_eq!(sink.probe().await.unwrap_err().to_string(), expected);
    }
    let found = Scripted::new("touch started", "").sink.probe().await.unwrap();
    assert!(found.starts_with('/') && found.ends_with("/sh can be started; livehook did not start it"), "{found}");
    let mut elsewhere = CommandSink::new("it", toml::from_str("program = \"sh\"\ndirectory = \"/nowhere\"").unwrap());
    let expected = elsewhere.probe().await.unwrap_err().to_string();
    assert!(expected.starts_with("`directory` names /nowhere, which livehook's user cannot enter"), "{expected}");
    assert_eq!(reason(&elsewhere.deliver(&records_of_streams(&["a"])).await[0]), expected);
}
