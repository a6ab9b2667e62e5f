"""A client of the Flask login tutorials: JSON in and out, cookies in a Session, or `token` as Bearer."""

import unittest

import requests

from service import PASSWORD, Service


class FlaskClient:
    """As the tutorials have it."""

    def __init__(self, base_url):
        self.base_url = base_url
        self.session = requests.Session()

    def register(self, username, password):
        return self.session.post(f"{self.base_url}/register", json={"username": username, "password": password})

    def login(self, username, password):
        return self.session.post(f"{self.base_url}/login", json={"username": username, "password": password})

    def protected(self):
        return self.session.get(f"{self.base_url}/protected")

    def admin(self):
        return self.session.get(f"{self.base_url}/admin")

    def logout(self):
        return self.session.post(f"{self.base_url}/logout")


class FlaskTutorial(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)

    def test_signs_up_in_and_out_with_cookies(self):
        client = FlaskClient(self.service.url)
        answer = client.register("ada", PASSWORD)
        self.assertEqual(answer.status_code, 201)
        self.assertEqual(answer.json()["message"], "User ada registered successfully")
        self.assertEqual(client.protected().status_code, 401)
        answer = client.login("ada", PASSWORD)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["status"], "success")
        self.assertEqual(answer.json()["message"], "Welcome ada!")
        answer = client.protected()
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["message"], "You are viewing protected content, ada!")
        answer = client.admin()
        self.assertEqual(answer.status_code, 403)
        self.assertEqual(answer.json()["detail"], "Admin access required")
        answer = client.logout()
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["message"], "Logged out successfully")
        self.assertEqual(len(client.session.cookies), 0)
        answer = client.protected()
        self.assertEqual(answer.status_code, 401)
        self.assertEqual(answer.json()["detail"], "Not authenticated")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_signs_in_with_the_token_of_the_answer(self):
        client = FlaskClient(self.service.url)
        client.register("grace", PASSWORD)
        body = client.login("grace", PASSWORD).json()
        self.assertEqual(body["token"], body["access_token"])
        headers = {"Authorization": f"Bearer {body['token']}"}
        # Without the Session, so without cookies.
        answer = requests.get(f"{self.service.url}/protected", headers=headers)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["username"], "grace")
        self.assertEqual(requests.post(f"{self.service.url}/logout", headers=headers).status_code, 200)
        answer = requests.get(f"{self.service.url}/protected", headers=headers)
        self.assertEqual(answer.status_code, 401)
        self.assertEqual(answer.json()["detail"], "Invalid or expired token")

    def test_an_administrator_sees_the_panel(self):
        self.service.run("user", "create", "root", "--role", "admin", stdin=PASSWORD)
        client = FlaskClient(self.service.url)
        client.login("root", PASSWORD)
        answer = client.admin()
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["message"], "Welcome to the admin panel, root!")

    def test_a_weak_new_password_is_refused_by_the_name_of_its_member(self):
        client = FlaskClient(self.service.url)
        client.register("edsger", PASSWORD)
        client.login("edsger", PASSWORD)
        body = {"current_password": PASSWORD, "new_password": "password1"}
        answer = client.session.post(f"{self.service.url}/me/password", json=body)
        self.assertEqual(answer.status_code, 422)
        self.assertEqual(answer.json()["errors"][0]["field"], "new_password")

    def test_a_taken_name_is_409_and_a_wrong_password_401(self):
        client = FlaskClient(self.service.url)
        self.assertEqual(client.register("alan", PASSWORD).status_code, 201)
        answer = client.register("alan", PASSWORD)
        self.assertEqual(answer.status_code, 409)
        self.assertEqual(answer.json()["detail"], "Username already exists")
        answer = client.login("alan", "wrong password")
        self.assertEqual(answer.status_code, 401)
        self.assertEqual(answer.json()["detail"], "Invalid credentials")
        answer = client.register("", "")
        self.assertEqual(answer.status_code, 400)
        self.assertEqual(answer.json()["detail"], "Username and password are required")
