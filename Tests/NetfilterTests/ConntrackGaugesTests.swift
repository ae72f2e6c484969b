import Foundation
import Lab
import Testing

@testable import Netfilter

@Suite struct ConntrackGaugesTests {
  @Test func `a setting that comes late, goes and comes again is read`() throws {
    let folder = try ScratchFolder()
    var gauges = ConntrackGauges(in: folder.path + "/")
    #expect([gauges.count(), gauges.events()] == [nil, nil])
    let count = try folder.write("17\n", to: "nf_conntrack_count")
    #expect([gauges.count(), gauges.events()] == [17, nil])
    try folder.write("2\n", to: "nf_conntrack_events")
    #expect([gauges.count(), gauges.events()] == [17, 2])
    // It stays open: what is written into the same file is seen.
    let file = try #require(FileHandle(forWritingAtPath: count))
    try file.write(contentsOf: Data("4294967295\n".utf8))
    #expect(gauges.count() == 4_294_967_295)
    try file.truncate(atOffset: 0)
    #expect(gauges.count() == nil)
    try FileManager.default.removeItem(atPath: count)
    try folder.write("3\n", to: "nf_conntrack_count")
    #expect(gauges.count() == 3)
    try file.close()
  }
}
