import Curl
import Model
import Testing

@testable import HTTPRecords

/// What an answer means, and what a record's headers are in a request.
@Suite struct HTTPVerdictTests {
  private enum Meaning: Sendable { case delivered, again, busy, configuration, data }

  @Test(
    arguments: [
      (200, Meaning.delivered), (201, .delivered), (202, .delivered), (204, .delivered), (408, .busy),
      (425, .busy),
      (429, .busy), (500, .again), (502, .busy), (503, .busy), (504, .busy), (401, .configuration),
      (403, .configuration), (404, .configuration), (405, .configuration), (301, .configuration),
      (308, .configuration), (409, .configuration), (410, .configuration), (400, .data), (413, .data),
      (422, .data),
    ] as [(Int, Meaning)])
  private func `each status has its verdict`(status: Int, meaning: Meaning) {
    let found: Meaning? =
      switch HTTPVerdict(HTTPResponse(status: status), server: "https://h/") {
      case .delivered: .delivered
      case .again: .again
      case .busy: .busy
      case .refused(let failure): failure.kind == .data ? .data : nil
      case .ended(let failure): failure.kind == .configuration ? .configuration : nil
      case .unreachable: nil
      }
    #expect(found == meaning)
  }

  @Test(arguments: [
    ("Retry-After: 3", Duration.seconds(3)), ("retry-after:0", .zero), ("Retry-After: 3600", .seconds(60)),
    ("Retry-After: 99999999999999999999", .seconds(60)), ("Retry-After: -1", nil), ("Retry-After: ", nil),
    ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", nil), ("X: 3", nil),
  ])
  func `the pause that a server wants is kept to for a minute at most`(line: String, pause: Duration?) {
    #expect(HTTPVerdict.wish(["HTTP/1.1 429 Too Many", line]) == pause)
  }

  @Test(arguments: [
    (Record.Header("x-rows", .number(7)), "X-Rows: 7"), (.init("rows", .text("a")), "X-Rows: a"),
    (.init("x-first row", .text("a\r\nEvil: b")), "X-First-Row: a\\r\\nEvil: b"),
  ])
  func `a record's header is a field of one line`(header: Record.Header, field: String) {
    #expect(header.field == field)
  }
}
