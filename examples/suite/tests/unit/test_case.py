import unittest


class ShelfCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.books = ["dune", "emma"]

    def test_count(self):
        self.assertEqual(len(self.books), 2)

    def test_order(self):
        self.assertEqual(self.books, ["emma", "dune"])

    @unittest.skip("later")
    def test_later(self):
        pass

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("as expected")

    def test_each(self):
        for book in self.books:
            with self.subTest(book=book):
                self.assertNotEqual(book, "emma")
