/// Finds the word that a misspelt one was meant to be.
public enum Spelling {
  /// The first of `words` that is fewest slips away from `word`, without regard to case; nil when none is near.
  ///
  /// A slip is a letter too many, too few or another, or two that changed places. Near is one slip for each
  /// three letters of the longer word, and at most three.
  public static func nearest(to word: String, in words: [String]) -> String? {
    var best: (word: String, distance: Int)?
    for candidate in words {
      let longer = max(candidate.count, word.count)
      guard longer <= 64 else { continue }
      let distance = distance(word.lowercased(), candidate.lowercased())
      guard distance <= min(3, longer / 3), distance < best?.distance ?? .max else { continue }
      best = (candidate, distance)
    }
    return best?.word
  }

  /// The number of slips between two words (optimal string alignment).
  static func distance(_ left: String, _ right: String) -> Int {
    let left = Array(left)
    let right = Array(right)
    var beforeLast = [Int](repeating: 0, count: right.count + 1)
    var last = Array(0...right.count)
    for i in left.indices {
      var row = [i + 1]
      for j in right.indices {
        let replaced = last[j] + (left[i] == right[j] ? 0 : 1)
        var cost = min(replaced, last[j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
          cost = min(cost, beforeLast[j - 1] + 1)
        }
        row.append(cost)
      }
      (beforeLast, last) = (last, row)
    }
    return last[right.count]
  }
}
