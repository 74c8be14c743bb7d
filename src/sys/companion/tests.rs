use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

const OWN: i32 = 4711;

fn call(cli: Option<i32>, happened: Happened) -> Call {
    Call {
        event: HookEvent {
            happened,
            session_id: "a".into(),
            transcript: "/t.jsonl".into(),
        },
        cli,
    }
}

fn failure() -> Happened {
    Happened::StopFailure { text: "x".into() }
}

fn pid(number: i32) -> Pid {
    Pid::from_raw(number).expect("a number")
}

/// Runs within a runtime like the driver's, with a companion in a folder of its own.
fn with_companion<F: Future<Output = ()>>(test: impl FnOnce(Companion) -> F) {
    let base = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let companion = Folder::create(base.path())
            .and_then(Companion::start_in)
            .expect("a companion");
        test(companion).await;
    });
}

/// A hook's process that has called.
async fn calls(companion: &Companion, call: &Call) -> UnixStream {
    let socket = companion.folder.path().join(SOCKET);
    let mut stream = UnixStream::connect(socket).await.expect("the socket");
    let mut line = serde_json::to_vec(call).expect("JSON");
    line.push(b'\n');
    stream.write_all(&line).await.expect("a call");
    stream
}

/// All that it is told, to the end of it.
async fn told(mut stream: UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer");
    text
}

async fn news(companion: &mut Companion) -> Option<News> {
    let heard = companion.next().await;
    companion.sort(heard, pid(OWN), pid(OWN))
}

#[test]
fn the_folder_is_private_holds_the_plugin_and_goes() {
    with_companion(|companion| async move {
        let folder = companion.folder.path().to_owned();
        for path in [&folder, &folder.join("plugin/hooks")] {
            let mode = fs::metadata(path).expect("a folder").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
        let [plugin, socket] = paths(&companion.folder);
        assert!(socket.exists());
        let read = |file: &str| -> serde_json::Value {
            serde_json::from_slice(&fs::read(plugin.join(file)).expect(file)).expect("JSON")
        };
        assert_eq!(read(".claude-plugin/plugin.json")["name"], "claude-retry");
        let hook = &read("hooks/hooks.json")["hooks"]["StopFailure"][0]["hooks"][0];
        let command = hook["command"].as_str().expect("a command");
        assert!(command.starts_with("'/") && command.ends_with("' ctl hook run --wrapped"));
        drop(companion);
        assert!(!folder.exists());
    });
}

#[test]
fn a_failure_waits_for_one_answer() {
    for (answer, line) in [
        (Answer::Resume, "{\"answer\":\"resume\"}\n"),
        (Answer::LetGo, "{\"answer\":\"let-go\"}\n"),
    ] {
        with_companion(|mut companion| async move {
            let stream = calls(&companion, &call(Some(OWN), failure())).await;
            let Some(News::Event(id, event)) = news(&mut companion).await else {
                panic!("no event");
            };
            assert_eq!(event.happened, failure());
            companion.answer(id, answer);
            // Once only.
            companion.answer(id, Answer::Resume);
            assert_eq!(told(stream).await, line);
        });
    }
}

#[test]
fn what_is_only_told_is_not_answered() {
    with_companion(|mut companion| async move {
        let stream = calls(&companion, &call(Some(OWN), Happened::Stop)).await;
        assert!(matches!(news(&mut companion).await, Some(News::Event(..))));
        assert_eq!(told(stream).await, "");
    });
}

#[test]
fn a_hook_that_goes_is_told_of_and_one_that_was_answered_is_not() {
    with_companion(|mut companion| async move {
        let stream = calls(&companion, &call(Some(OWN), failure())).await;
        let Some(News::Event(id, _)) = news(&mut companion).await else {
            panic!("no event");
        };
        drop(stream);
        assert_eq!(news(&mut companion).await, Some(News::Gone(id)));

        let stream = calls(&companion, &call(Some(OWN), failure())).await;
        let Some(News::Event(id, _)) = news(&mut companion).await else {
            panic!("no event");
        };
        companion.answer(id, Answer::LetGo);
        assert_eq!(companion.sort(Heard::Gone(id), pid(OWN), pid(OWN)), None);
        drop(stream);
    });
}

#[test]
fn another_clis_hook_is_foreign() {
    with_companion(|mut companion| async move {
        for cli in [Some(OWN + 1), None] {
            let stream = calls(&companion, &call(cli, failure())).await;
            assert_eq!(news(&mut companion).await, None);
            assert_eq!(told(stream).await, "{\"answer\":\"foreign\"}\n");
        }
    });
}

#[test]
fn behind_a_launcher_the_first_to_begin_in_our_terminal_session_is_ours() {
    with_companion(|mut companion| async move {
        let inside = rustix::process::getpid();
        let Ok(Some(session)) = session_of(None).map(Pid::from_raw) else {
            // The session's leader lies outside our pid namespace: nobody can be in it by number.
            return;
        };
        let own = Some(led_by(inside));
        let mut is_own = |cli, happened| companion.is_own(&call(cli, happened), pid(OWN), session);
        assert!(!is_own(own, failure()), "none has begun");
        assert!(!is_own(Some(1), Happened::SessionStart), "outside");
        assert!(is_own(own, Happened::SessionStart));
        assert!(is_own(own, failure()));
        assert!(!is_own(Some(1), Happened::SessionStart));
        assert!(is_own(Some(OWN), failure()), "the child itself");
    });
}

#[test]
fn nonsense_is_hung_up_on_and_the_next_call_is_heard() {
    with_companion(|mut companion| async move {
        for nonsense in ["\n", "{}\n", "GET / HTTP/1.1\r\n"] {
            let socket = companion.folder.path().join(SOCKET);
            let mut stream = UnixStream::connect(socket).await.expect("the socket");
            stream.write_all(nonsense.as_bytes()).await.expect("a line");
            assert_eq!(told(stream).await, "");
        }
        drop(calls(&companion, &call(Some(OWN), Happened::Stop)).await);
        assert!(matches!(news(&mut companion).await, Some(News::Event(..))));
    });
}

#[test]
fn a_place_that_will_not_do_is_an_error_that_names_it() {
    let base = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _context = runtime.enter();
    let error = |name: &str| {
        let place = base.path().join(name);
        let error = Folder::in_first(&[place], Companion::start_in).expect_err("no place");
        error.to_string()
    };
    assert!(error(&"x".repeat(100)).contains("too long"));
    assert!(error("a:b").contains("colon"));
}

#[test]
fn other_wrappers_plugins_leave_the_list_and_the_users_stay() {
    let bases = [PathBuf::from("/run/user/1/claude-retry")];
    let dirs = |given: &str, own: Option<&str>| {
        let dirs = plugin_dirs(Some(given.into()), &bases, own.map(PathBuf::from));
        dirs.map(|dirs| dirs.into_string().expect("UTF-8"))
    };
    let own = Some("/run/user/1/claude-retry/h-2-b/plugin");
    let old = "/run/user/1/claude-retry/h-1-a/plugin";
    assert_eq!(dirs("", own).as_deref(), own);
    assert_eq!(dirs(old, own).as_deref(), own);
    let all = format!("/a:{old}:/b");
    assert_eq!(dirs(&all, own), own.map(|own| format!("/a:/b:{own}")));
    assert_eq!(dirs(&all, None).as_deref(), Some("/a:/b"));
    assert_eq!(dirs(old, None), None);
}

#[test]
fn a_word_for_sh_is_one_word() {
    let quoted = |word: &str| sh_quoted(OsStr::new(word)).expect("UTF-8");
    assert_eq!(quoted("/a b/c"), "'/a b/c'");
    assert_eq!(quoted("/it's"), r"'/it'\''s'");
    assert!(sh_quoted(OsStr::from_bytes(b"/\xff")).is_err());
}
