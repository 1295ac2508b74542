"""Include the package's URLs under a prefix that ends as the gateway's address does."""

from django.urls import include, path

urlpatterns = [path("gateway/", include("session_limit.urls"))]
