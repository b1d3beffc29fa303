use super::*;

const NAME: &str = "forewarn.toml";

fn none(_: &str) -> Option<String> {
    None
}

fn from_file(text: &str) -> Result<Settings, SettingsError> {
    resolve(Some((NAME, text)), none, &Layer::default())
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let text = "history = \"file\"\nstate = \"file\"\nlog = \"warn\"\n";
    let env = |name: &str| match name {
        "FOREWARN_STATE" => Some("env/".to_owned()),
        "FOREWARN_LOG" => Some("debug".to_owned()),
        "FOREWARN_RULES" => Some(String::new()),
        _ => None,
    };
    let flags = Layer { log: Some("error".to_owned()), ..Layer::default() };
    let settings = resolve(Some((NAME, text)), env, &flags).unwrap();
    assert_eq!((settings.history.as_str(), settings.state.as_str(), settings.log.as_str()), ("file", "env/", "error"));
    assert_eq!(settings.bus, "env/events.jsonl");
    assert_eq!(settings.rules, None, "an empty variable says nothing");
    assert_eq!(settings.origins["history"], Origin::File("forewarn.toml:1".to_owned()));
    assert_eq!(settings.origins["state"], Origin::Environment("FOREWARN_STATE"));
    assert_eq!(settings.origins["log"], Origin::Flag("log"));
    assert_eq!(settings.origins["bus"], Origin::Default);
}

#[test]
fn every_key_is_read_from_every_layer() {
    let value = |key: &str| match key {
        "emit" => "true",
        "log" => "trace",
        "log_format" => "json",
        _ => "somewhere",
    };
    let settled = |s: &Settings| {
        (s.history.clone(), s.state.clone(), s.rules.clone(), s.bus.clone(), s.emit, s.log.clone(), s.log_format)
    };
    let text: String = KEYS
        .iter()
        .map(|k| match k.name {
            "emit" => "emit = true\n".to_owned(),
            name => format!("{name} = \"{}\"\n", value(name)),
        })
        .collect();
    let file = from_file(&text).unwrap();
    let by_env = |name: &str| KEYS.iter().find(|k| k.env == name).map(|k| value(k.name).to_owned());
    let env = resolve(None, by_env, &Layer::default()).unwrap();
    let some = |key: &str| Some(value(key).to_owned());
    let layer = Layer {
        history: some("history"),
        state: some("state"),
        rules: some("rules"),
        bus: some("bus"),
        emit: some("emit"),
        log: some("log"),
        log_format: some("log_format"),
    };
    let flags = resolve(None, none, &layer).unwrap();
    assert_eq!(settled(&file), settled(&env));
    assert_eq!(settled(&file), settled(&flags));
    assert!(file.emit && file.log_format == LogFormat::Json && file.bus == "somewhere");
    assert_eq!(file.live, env.live);
    for settings in [&file, &env] {
        assert!(settings.origins.values().all(|o| *o != Origin::Default));
    }
    // The live pipeline's flags are its commands' own: they come over the settings there, and here nothing is said of them.
    let live = serde_json::to_value(&file.live).unwrap();
    let live = live.as_object().unwrap();
    assert!(live.values().all(|v| v == "somewhere"), "{live:?}");
    for (key, origin) in &flags.origins {
        assert_eq!(*origin == Origin::Default, live.contains_key(*key), "{key}");
    }
}

#[test]
fn what_is_wrong_in_the_file_is_named_with_its_place() {
    let unknown = from_file("\n# where\nhistroy = \"h\"\n").unwrap_err().to_string();
    assert_eq!(unknown, "forewarn.toml:3: unknown key \"histroy\"; did you mean \"history\"?");
    let table = from_file("state = \"s\"\n[log]\nlevel = \"info\"\n").unwrap_err().to_string();
    assert_eq!(table, "forewarn.toml:2: log is table, expected a string");
    let kind = from_file("emit = \"yes\"").unwrap_err().to_string();
    assert_eq!(kind, "forewarn.toml:1: emit is string, expected a boolean");
    let syntax = from_file("history = \"h\"\nstate = ").unwrap_err();
    assert!(matches!(syntax, SettingsError::Syntax { line: 2, .. }), "{syntax}");
    let twice = from_file("history = \"h\"\nhistory = \"i\"\n").unwrap_err();
    assert!(matches!(twice, SettingsError::Syntax { line: 2, .. }), "{twice}");
}

#[test]
fn values_are_checked_wherever_they_come_from() {
    let env = |name: &str| (name == "FOREWARN_EMIT").then(|| "yes".to_owned());
    let emit = resolve(None, env, &Layer::default()).unwrap_err().to_string();
    assert_eq!(emit, "FOREWARN_EMIT: emit is \"yes\", expected true or false");
    let format = Layer { log_format: Some("xml".to_owned()), ..Layer::default() };
    let format = resolve(None, none, &format).unwrap_err().to_string();
    assert_eq!(format, "--log-format: log_format is \"xml\", expected text or json");
    let empty = from_file("history = \" \"").unwrap_err().to_string();
    assert_eq!(empty, "forewarn.toml:1: history is \" \", expected a path");
    assert!(matches!(from_file("log = \"forewarn=loud\""), Err(SettingsError::Log { .. })));
}
