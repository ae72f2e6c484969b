import CPCRE2

/// Counts the work of one search.
///
/// PCRE2's own limit starts again at each place of the text, and does not see how far a single item runs: an
/// innocent expression and a hostile text of 100 kB could take minutes.
struct StepCounter {
  /// About 20 ms on a machine of 2020.
  private static let limit = 2_000_000

  private var steps = 0
  private var position = 0

  /// Counts an item tried at `newPosition`; false when it is enough.
  mutating func count(at newPosition: Int) -> Bool {
    // Running over eight characters costs about as much as an item.
    steps += 1 + abs(newPosition - position) / 8
    position = newPosition
    return steps <= Self.limit
  }
}

/// What PCRE2 calls before each item: goes on with zero, ends the search with an error (pcre2callout(3)).
func countStep(
  _ block: UnsafeMutablePointer<pcre2_callout_block_8>?, _ counter: UnsafeMutableRawPointer?
) -> CInt {
  // Both are valid during the call: the block is PCRE2's, the counter is the one that `search` gave.
  guard let block = unsafe block, let counter = unsafe counter?.assumingMemoryBound(to: StepCounter.self)
  else {
    return PCRE2_ERROR_CALLOUT
  }
  return unsafe counter.pointee.count(at: block.pointee.current_position) ? 0 : PCRE2_ERROR_CALLOUT
}
