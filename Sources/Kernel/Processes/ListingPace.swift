/// Decides when /proc must be listed again.
struct ListingPace {
  /// After so many ticks at most, though nothing seems to have changed: in a pid namespace an end here and a start
  /// outside look like nothing.
  static let longestPause = 16

  private var known: ThreadCount?
  private var calm = 0
  private var pause = 0

  /// Takes the count of this tick, nil where there is none; returns whether to list.
  mutating func isDue(_ count: ThreadCount?) -> Bool {
    calm = count != nil && count == known ? calm + 1 : 0
    known = count
    // Who got a number before the last listing may have been added after it.
    pause = calm > 1 && pause + 1 < Self.longestPause ? pause + 1 : 0
    return pause == 0
  }
}
