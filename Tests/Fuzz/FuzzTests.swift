import Foundation
import Testing

/// The corpus of the fuzzer, without the fuzzer.
@Suite struct FuzzTests {
  @Test(arguments: Target.allCases) func `every law holds for every file of the corpus`(target: Target) throws
  {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Corpus/\(target.rawValue)")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    #expect(!files.isEmpty)
    for file in files {
      let input = try Array(Data(contentsOf: file))
      #expect(throws: Never.self, "\(file.lastPathComponent)") { try target.check(input) }
    }
  }
}
