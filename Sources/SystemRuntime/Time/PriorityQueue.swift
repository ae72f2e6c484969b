/// Elements of which the least comes first: a heap, each element with four below it. A binary one is twice as deep, and each
/// level is another place in memory.
package struct PriorityQueue<Element: Comparable & Sendable>: Sendable {
  private var heap: [Element] = []

  private static var branches: Int { 4 }

  /// Makes an empty one.
  package init() {}

  /// How many there are.
  package var count: Int { heap.count }
  /// The least; nil when there is none.
  package var first: Element? { heap.first }

  /// Adds an element.
  package mutating func insert(_ element: Element) {
    heap.append(element)
    var child = heap.count - 1
    while child > 0, case let parent = (child - 1) / Self.branches, element < heap[parent] {
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = element
  }

  /// Removes all but those that `isKept` names.
  package mutating func keep(where isKept: (Element) -> Bool) {
    // What is sorted is a heap.
    heap = heap.filter(isKept).sorted()
  }

  /// Takes the least; nil when there is none.
  package mutating func popFirst() -> Element? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return first }
    var parent = 0
    while case let leftmost = Self.branches * parent + 1, leftmost < heap.count {
      var child = leftmost
      for other in leftmost + 1..<min(leftmost + Self.branches, heap.count) where heap[other] < heap[child] {
        child = other
      }
      guard heap[child] < last else { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = last
    return first
  }
}
