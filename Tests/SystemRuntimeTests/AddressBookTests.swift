import Model
import Testing

@testable import SystemRuntime

@Suite struct AddressBookTests {
  private let start = Instant.now
  private let ends = (1...4).map { ZonedEndpoint(Endpoint(address: IPAddress(v4: $0), port: 80)) }

  private func book(_ answer: AddressBook.Answer) -> AddressBook {
    var book = AddressBook()
    book.note(answer, at: start)
    return book
  }

  /// How many look-ups follow when `ask` is called each millisecond for ten seconds and each takes 5 ms.
  private func lookUps(
    _ answer: AddressBook.Answer, _ ask: (inout AddressBook, Instant) -> Bool
  ) -> Int {
    var book = book(answer)
    var (count, ends) = (0, [Instant]())
    for millisecond in 1...10_000 {
      let now = start + .milliseconds(millisecond)
      if ends.first == now {
        book.note(answer, at: now)
        ends = []
      }
      if ask(&book, now) {
        count += 1
        ends.append(now + .milliseconds(5))
      }
    }
    return count
  }

  @Test func `it is pending and wanted from the start, once`() {
    var book = AddressBook()
    #expect(book.isWanted && book.answered == nil)
    #expect(book.addresses(at: start) == (.pending, false))
    let asks = book.distrust(at: start)
    #expect(!asks)
  }

  @Test func `a target that is down is looked up once a second`() {
    #expect((9...10).contains(lookUps(.ready(ends)) { $0.distrust(at: $1) }))
    #expect((9...10).contains(lookUps(.failed("no such name")) { $0.addresses(at: $1).asks }))
    #expect(lookUps(.ready(ends)) { $0.addresses(at: $1).asks } == 0)
  }

  @Test func `addresses are asked for again after half a minute, and used meanwhile`() {
    var book = book(.ready(ends))
    #expect(book.addresses(at: start + .seconds(29)) == (.ready(ends), false))
    #expect(book.addresses(at: start + .seconds(30)) == (.ready(ends), true))
    #expect(book.addresses(at: start + .seconds(31)) == (.ready(ends), false))
    book.note(.failed("no answer"), at: start + .seconds(32))
    #expect(book.addresses(at: start + .seconds(33)) == (.ready(ends), false))
    book.note(.ready([ends[3]]), at: start + .seconds(34))
    #expect(book.addresses(at: start + .seconds(34)) == (.ready([ends[3]]), false))
  }

  @Test func `a failure is an answer for a second`() {
    var book = book(.failed("why"))
    #expect(book.addresses(at: start + .milliseconds(999)) == (.failed("why"), false))
    #expect(book.addresses(at: start + .seconds(1)) == (.pending, true))
    #expect(book.addresses(at: start + .seconds(2)) == (.pending, false))
  }

  @Test func `what answered is first, also in later answers that have it`() {
    var book = book(.ready(ends))
    book.prefer(ends[2])
    #expect(book.answer == .ready([ends[2], ends[0], ends[1], ends[3]]))
    book.note(.ready([ends[1], ends[0], ends[2]]), at: start)
    #expect(book.answer == .ready([ends[2], ends[1], ends[0]]))
    book.note(.ready([ends[1], ends[0]]), at: start)
    #expect(book.answer == .ready([ends[1], ends[0]]))
    book.prefer(ends[3])
    #expect(book.answer == .ready([ends[1], ends[0]]))
    book.prefer(ends[0])
    #expect(book.answer == .ready([ends[0], ends[1]]))
  }
}
