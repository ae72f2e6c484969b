import Model

/// What is remembered of a process that has moved something.
struct Member: Sendable {
  /// What it ran when its application was decided; nil once it has ended, or if it could not be read.
  var process: ProcessDescription?
  /// The name of its application; nil if that must be decided anew.
  var application: String?
  /// The application's place; nil if there was no room.
  var place: ApplicationTable.Handle?
  /// False once it has ended. It is remembered for a while, because its last bytes may be counted later.
  var isLiving = true
  /// Whether it was counted as one that had no room.
  var isCountedOut = false
  /// When it last moved something.
  var lastTick: Int
}
