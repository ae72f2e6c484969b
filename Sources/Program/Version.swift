/// What `--version` of every program says.
public let bwmonVersion = "bwmon 2.0.0"
