/// Which parts of a frame fit the terminal's height; the least needed goes first: warnings, balance, totals, header.
struct LineBudget {
  private(set) var hasHeader = true
  private(set) var hasTotals = true
  private(set) var hasBalance = true
  private(set) var hasWarnings = true
  /// True when the line that says how many rows are missing has its place.
  private(set) var hasMore = false
  /// The number of rows that fit.
  private(set) var rows: Int

  init(height: Int?, rows count: Int, balance: Int, warnings: Int) {
    rows = count
    guard let height else { return }
    // A row and the line that says what is missing are worth more than any frame around them.
    let wanted = min(count, 2)
    var rest = height - 2 - balance - warnings
    if rest < wanted, warnings > 0 {
      hasWarnings = false
      rest += warnings
    }
    if rest < wanted {
      hasBalance = false
      rest += balance
    }
    if rest < wanted {
      hasTotals = false
      rest += 1
    }
    if rest < wanted {
      hasHeader = false
      rest += 1
    }
    if count > rest {
      hasMore = rest > 1
      rows = hasMore ? rest - 1 : rest
    }
  }
}
