/// The version of all programs.
public let bwmonRelease = "2.0.0"

/// What `--version` of every program says.
public let bwmonVersion = "bwmon \(bwmonRelease)"
