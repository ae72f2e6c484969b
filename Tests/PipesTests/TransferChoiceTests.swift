import Testing

@testable import Pipes

@Suite struct TransferChoiceTests {
  private static let ask = 1 << 20

  @Test(
    arguments: [
      (.auto, [], false),
      (.auto, [100, 32_767], false),
      (.auto, [32_768], true),
      (.auto, [65_536, 100, 100, 100], true),
      (.auto, [65_536, 100, 100, 100, 100], false),
      (.auto, [65_536, 100, 100, 100, 5000, 100, 100, 100], true),
      (.auto, [65_536, 100, 100, 100, 100, 65_536], true),
      (.on, [1, 1, 1, 1, 1, 1, 1, 1], true),
      (.off, [65_536, 65_536], false),
    ] as [(PipeConfiguration.Splice, [Int], Bool)])
  func `the size of what comes decides`(setting: PipeConfiguration.Splice, chunks: [Int], splices: Bool) {
    var choice = TransferChoice(setting)
    for chunk in chunks { choice.note(chunk, of: Self.ask) }
    #expect(choice.splices == splices)
  }

  @Test func `a limit's small pieces are no sign of messages`() {
    var choice = TransferChoice(.auto)
    choice.note(65_536, of: 65_536)
    for _ in 0..<20 { choice.note(1448, of: 1448) }
    #expect(choice.splices)
  }

  @Test(arguments: PipeConfiguration.Splice.allCases)
  func `without a pipe it copies`(setting: PipeConfiguration.Splice) {
    var choice = TransferChoice(setting)
    choice.foundNoPipe()
    #expect(!choice.splices)
    for _ in 0..<TransferChoice.patience - 1 { choice.note(1, of: Self.ask) }
    #expect(!choice.splices)
    // Where it was asked for, it comes back whatever the size.
    choice.note(1, of: Self.ask)
    #expect(choice.splices == (setting == .on))
  }
}
